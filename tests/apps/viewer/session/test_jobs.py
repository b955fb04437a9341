"""What is made of a completion."""

import io
import json
import tempfile
import zipfile

import numpy as np
import pytest

from facecom.apps.viewer.session import jobs
from facecom.apps.viewer.session.session import Session
from facecom.prosthesis import Prosthesis


def told(stages):
    return lambda stage, share: stages.append((stage, share))


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_archive_holds_what_the_command_writes(completion):
    data = jobs.pack_results(completion, name="a scan", progress=told([]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert set(archive.namelist()) == {"face.ply", "merged.ply", "patch.ply", "report.json", "report.html"}
        assert json.loads(archive.read("report.json"))["unit"] == "mm"
        assert b"a scan" in archive.read("report.html")


def test_the_prosthesis_is_of_the_face_that_is_shown(completion, monkeypatch):
    """After dragging, the part is designed on the dragged surface."""
    seen = []
    monkeypatch.setattr("facecom.prosthesis.design_all", lambda face, **options: seen.append(face) or [])
    session = Session().set_result(completion)
    moved = session.drag_landmark("nose_bridge_4", session.movable_landmarks()["nose_bridge_4"] + [3, 0, 0]).displayed
    jobs.design_prostheses(moved, margin_mm=5.0, wall_mm=3.0, progress=told([]))
    own = seen[0].context.stitched.merged.vertices
    assert np.allclose(own, moved.pose.apply(moved.merged.vertices), atol=1e-4)
    assert np.abs(own - completion.context.stitched.merged.vertices).max() > 1.0


def test_the_design_tells_its_progress(completion, monkeypatch):
    def design(face, *, settings, progress):
        progress("shell", 0.4)
        return []

    monkeypatch.setattr("facecom.prosthesis.design_all", design)
    stages = []
    jobs.design_prostheses(completion, margin_mm=5.0, wall_mm=3.0, progress=told(stages))
    assert stages == [("shell", 0.4)]


def test_parts_are_packed_a_folder_each(tmp_path):
    class Part(Prosthesis):
        def __init__(self):
            pass

        def save(self, directory):
            directory.mkdir(exist_ok=True)
            (directory / "shell.stl").write_bytes(b"solid")

    for count, names in ((1, {"shell.stl"}), (2, {"part_1/shell.stl", "part_2/shell.stl"})):
        data = jobs.pack_prostheses((Part(),) * count, progress=told([]))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert set(archive.namelist()) == names
        assert data == jobs.pack_prostheses((Part(),) * count, progress=told([]))
