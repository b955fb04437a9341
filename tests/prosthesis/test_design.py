"""From a completed face to files: what a part is made of, what is refused, and that equal parts give equal bytes."""

import io
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import trimesh
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.template import Template
from facecom.prosthesis import DesignSettings, design
from facecom.prosthesis.files import three_mf_bytes
from facecom.prosthesis.source import MIRRORED, Source, mirrored, region_mask


@pytest.fixture(scope="module")
def template():
    return Template.load()


def completion_of(template, mask, face=None):
    """A completed face without a network: the template, a region of which counts as made."""
    face = template.vertices if face is None else face
    gone = mask[template.faces[3]].any(1)
    scan_faces, made_faces = template.faces[3][~gone], template.faces[3][gone]
    lost = np.setdiff1d(np.unique(made_faces), np.unique(scan_faces))
    kept = np.setdiff1d(np.arange(len(face)), lost)
    order = np.concatenate([kept, lost])
    new = np.empty(len(order), int)
    new[order] = np.arange(len(order))
    merged = Mesh(face[order], new[np.concatenate([scan_faces, made_faces])])
    weights = sp.csr_matrix((np.ones(len(lost)), (np.arange(len(lost)), lost)), (len(lost), len(face)))
    pose = Similarity(rotation_from_vector([0.1, 0.4, -0.2]), np.array([10.0, -20.0, 300.0]))
    provenance = np.zeros(len(face), int)
    provenance[lost] = 1
    evidence = SimpleNamespace(
        joined=SimpleNamespace(merged=merged, weights=weights),
        scan=SimpleNamespace(mesh=Mesh(pose.inverse().apply(face[kept]), new[scan_faces])),
        projected=SimpleNamespace(vertices=face, measured=provenance == 0),
        model=SimpleNamespace(template=template),
        fit=SimpleNamespace(pose=pose),
    )
    return SimpleNamespace(
        evidence=evidence,
        provenance=provenance,
        merged_provenance=provenance[order],
        merged_sigma_mm=np.where(provenance[order] > 0, 0.8, 0.1),
        sigma_mm=np.where(provenance > 0, 0.8, 0.1),
        pose=pose,
    )


@pytest.fixture(scope="module")
def part(template):
    return design(completion_of(template, region_mask(template, "nose")), axis="front", grid_mm=1.2)


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
    assert set(np.unique(part.provenance)) <= {-1, 0, 2}
    assert np.array_equal(np.isnan(part.sigma_mm), part.provenance < 0)


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
    assert np.array_equal(region_mask(template, "l_ear"), template.region_mask("l_ear"))
    with pytest.raises(ValueError, match="no region 'elbow'.*l_ear"):
        region_mask(template, "elbow")


def test_an_ear_is_copied_from_the_other_side_where_that_was_seen(template):
    left, right = template.region_mask("l_ear"), template.region_mask("r_ear")
    face = template.vertices.copy()
    face[right] += [-3.0, 1.0, 0.0]
    source = Source.of(completion_of(template, left, face))
    copied = mirrored(source, left)
    deep = cKDTree(template.vertices[~left]).query(template.vertices)[0] > 8.5
    assert deep.sum() > 100
    assert np.allclose((copied.face - face)[deep], [3.0, 1.0, 0.0], atol=0.35)
    assert (copied.provenance == MIRRORED).sum() > 200
    both = completion_of(template, left | right, face)
    unseen = Source.of(both)
    assert mirrored(unseen, left) is unseen
