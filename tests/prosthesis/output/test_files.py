"""The files of a part: whole, readable, and the same each time."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from facecom.geometry.transform import Similarity
from facecom.prosthesis.output.files import sidecar


@pytest.mark.slow
def test_saved_files_are_whole_and_the_same_each_time(part, tmp_path):
    part.save(tmp_path / "a")
    part.save(tmp_path / "b")
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == [
        "inspection.json", "inspection.png", "mould_a.stl", "mould_b.stl", "prosthesis.json",
        "shell.3mf", "shell.ply", "shell.stl",
    ]  # fmt: skip
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    for name in ("shell.stl", "mould_a.stl", "mould_b.stl"):
        assert trimesh.load(tmp_path / "a" / name).is_watertight
    sidecar = json.loads((tmp_path / "a" / "prosthesis.json").read_text())
    assert sidecar["settings"]["wall_mm"] == 3.0 and len(sidecar["input_sha256"]) == 64
    assert json.loads((tmp_path / "a" / "inspection.json").read_text())["watertight"] is True
    model = zipfile.ZipFile(tmp_path / "a" / "shell.3mf").read("3D/3dmodel.model").decode()
    assert 'unit="millimeter"' in model and model.count("<triangle ") == len(part.shell.faces)


@pytest.mark.slow
def test_the_pose_and_the_unit_take_the_files_to_the_face_frame(part):
    in_metres = replace(part, pose=Similarity(part.to_face.rotation, part.to_face.translation, 1000.0))
    for one in (part, in_metres):
        held = sidecar(one)
        matrix, points = np.array(held["pose"]), one.shell.vertices / held["mm_per_unit"]
        assert np.allclose(points @ matrix[:3, :3].T + matrix[:3, 3], one.to_face.apply(one.shell.vertices))
