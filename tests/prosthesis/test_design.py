"""From a completed face to files: what a part is made of, what is refused, and that equal parts give equal bytes."""

import io
import json
import zipfile

import numpy as np
import pytest
import trimesh

from facecom.__main__ import main
from facecom.geometry.mesh import Mesh
from facecom.prosthesis import DesignSettings, design
from facecom.prosthesis.defect.regions import region_mask
from facecom.prosthesis.output.files import three_mf_bytes


@pytest.fixture(scope="module")
def part(template, completion_of):
    return design(completion_of(region_mask(template, "nose")), axis="front", grid_mm=1.2)


def test_the_part_lies_in_the_scans_own_frame_and_is_closed(part):
    solid = trimesh.Trimesh(part.shell.vertices, part.shell.faces, process=False)
    assert solid.is_watertight and solid.volume == pytest.approx(part.inspection.volume_mm3, rel=1e-6)
    tip = part.to_face.inverse().apply(np.zeros((1, 3)))
    assert np.linalg.norm(part.shell.vertices - tip, axis=1).min() < 2.0
    assert np.allclose(part.axis, part.to_face.inverse().rotate([0.0, 0.0, 1.0]))


def test_the_figures_say_what_the_part_is(part):
    i = part.inspection
    assert i.watertight and i.self_crossing_edges == 0 and i.overlap_mm3 < 1e-6
    assert i.mass_g == pytest.approx(i.volume_mm3 * 1.1e-3)
    assert i.edge.min >= 0.3 and i.wall.median == pytest.approx(3.0, abs=0.15)
    assert sum(i.shares.values()) == pytest.approx(1.0) and i.shares["made"] > 0.5 and i.shares["mirrored"] == 0
    assert i.gap.median == pytest.approx(0.1, abs=0.06) and i.step.median == pytest.approx(0.4, abs=0.12)
    assert i.sigma_mm.max == pytest.approx(0.8)
    assert "not a medical device" in i.notice
    assert set(np.unique(part.provenance)) <= {-1, 0, 1, 2}
    assert np.array_equal(np.isnan(part.sigma_mm), part.provenance < 0)


def test_a_part_converts_to_other_packages(part, monkeypatch):
    solid = part.to_trimesh()
    assert solid.is_watertight and np.array_equal(solid.vertices, part.shell.vertices)
    assert np.array_equal(np.asarray(part.to_open3d().triangles), part.shell.faces)
    # The other two are not installed everywhere; what they are given is the same.
    monkeypatch.setattr("facecom.io.conversion.to_pyvista", lambda mesh: mesh)
    monkeypatch.setattr("facecom.io.conversion.to_pytorch3d", lambda mesh, *, device: (mesh, device))
    assert part.to_pyvista() is part.shell and part.to_pytorch3d(device="cuda") == (part.shell, "cuda")


def test_options_of_completing_are_refused_where_nothing_is_completed(part, template, completion_of):
    done = completion_of(region_mask(template, "nose"))
    with pytest.raises(ValueError, match="completed already, so that unit can change nothing"):
        design(done, completing={"unit": "mm"})


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


def test_samples_lie_beside_the_part(part, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("facecom.commands.verbs.completed", lambda *_: None)
    monkeypatch.setattr("facecom.prosthesis.design_all", lambda *_, **__: [part])
    monkeypatch.setattr("facecom.prosthesis.alternatives", lambda _, count, **__: [part] * count)
    out = tmp_path / "out"
    assert main(["prosthesis", "scan.ply", "--out", str(out), "--samples", "1", "--quiet"]) == 0
    assert (out / "samples.png").stat().st_size > 10_000
    assert (out / "shell.stl").read_bytes() == (out / "sample_1" / "shell.stl").read_bytes()
    assert capsys.readouterr().out.count("not a medical device") == 2


def test_three_mf_escapes_nothing_away():
    data = three_mf_bytes(Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]), title="flat")
    assert b"flat" in zipfile.ZipFile(io.BytesIO(data)).read("3D/3dmodel.model")


def test_lengths_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="must not fall from edge"):
        DesignSettings(wall_mm=0.2)
    with pytest.raises(ValueError, match="margin_mm must be a positive length"):
        DesignSettings(margin_mm=-1.0)
    with pytest.raises(ValueError, match="mirror must be"):
        DesignSettings(mirror="maybe")


def test_regions_have_names_and_unknown_ones_are_listed(template):
    left, right = region_mask(template, "left_orbit"), region_mask(template, "right_orbit")
    assert template.vertices[left, 0].mean() > 10 and np.array_equal(left[template.mirror], right)
    assert np.array_equal(region_mask(template, "l_lip"), template.region_mask("l_lip"))
    with pytest.raises(ValueError, match="no region 'elbow'.*l_ear"):
        region_mask(template, "elbow")
