"""Scans that show something in the defect: a wound's bed is left out where it is marked, and where it is found."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from facecom.commands.options import parser
from facecom.commands.running import mark_options
from facecom.completion import COMPLETION, Completion, CompletionState, complete
from facecom.completion.defect_stages import apply_marks, apply_outlines
from facecom.completion.marking import region_names
from facecom.errors import FacecomError, ScanError
from facecom.evaluation.defects import defect_mask
from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.io.files import read_scan
from facecom.model.linear.generator import LinearGenerator
from facecom.provenance import Provenance

DEPTH_MM = 8.0
"""How deep the bed lies under a membrane over the wound."""


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


@pytest.fixture(scope="module")
def truth(model):
    face = model.sample(3, level=2)
    return face.submesh((face.vertices[face.faces][..., 2] > -75.0).all(1))[0]


@pytest.fixture(scope="module")
def wound(truth):
    """Vertices of the face that lie in the wound, where its nose was."""
    return defect_mask(truth.vertices, "nose", seed=0)


@pytest.fixture(scope="module")
def scan(truth, wound):
    """The face with a bed in its nose's place, smooth to its rim, and a scanner's noise."""
    free, held = np.flatnonzero(wound), np.flatnonzero(~wound)
    laplacian = uniform_laplacian(truth.faces, len(truth.vertices)).tocsr()
    vertices = truth.vertices.copy()
    vertices[free] = spsolve(laplacian[free][:, free].tocsc(), -(laplacian[free][:, held] @ vertices[held]))
    depth = np.clip(cKDTree(truth.vertices[held]).query(truth.vertices[free])[0] / 8.0, 0.0, 1.0)
    vertices[free, 2] -= DEPTH_MM * depth**2 * (3.0 - 2.0 * depth)
    noise = np.random.default_rng(0).normal(0.0, 0.08, vertices.shape)
    return Mesh(vertices + noise, truth.faces)


@pytest.fixture(scope="module")
def marked(scan, wound, model):
    return complete(scan, model=model, missing=scan.vertices[wound])


@pytest.fixture(scope="module")
def found(scan, model):
    return complete(scan, model=model)


def error_mm(result, truth, wound):
    """Mean distance of the true skin in the wound to the completed face."""
    return Surface(result.face).closest(truth.vertices[wound]).distance.mean()


def deep(result, wound, truth):
    """Vertices of the completed face well within the wound."""
    inner = cKDTree(truth.vertices[~wound]).query(truth.vertices)[0] > 6.0
    return cKDTree(truth.vertices[wound & inner]).query(result.face.vertices)[0] < 3.0


@pytest.mark.slow
@pytest.mark.parametrize("how", ["marked", "found"])
def test_a_wound_is_no_skin(request, how, scan, truth, wound, model):
    result = request.getfixturevalue(how)
    believed = complete(scan, model=model, missing="none") if how == "marked" else None
    assert error_mm(result, truth, wound) < 1.3
    if believed is not None:
        assert error_mm(believed, truth, wound) > 3.0
    kinds = result.provenance[deep(result, wound, truth)]
    assert len(kinds) > 300 and (kinds != Provenance.OBSERVED).all()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["marked", "found"])
def test_healthy_triangles_stay_and_the_bed_is_apart(request, how, scan, wound, tmp_path):
    """Each triangle of the scan is in merged.ply or in defect.ply, bit for bit, and not in both."""
    result = request.getfixturevalue(how)
    own = {tuple(np.sort(corner, axis=0).ravel()) for corner in scan.vertices[scan.faces]}
    kept = {tuple(np.sort(c, axis=0).ravel()) for c in result.scan.vertices[result.scan.faces]}
    bed = {tuple(np.sort(c, axis=0).ravel()) for c in result.defect.vertices[result.defect.faces]}
    assert kept | bed == own and not kept & bed
    count = len(result.scan.vertices)
    assert np.array_equal(result.merged.vertices[:count], result.scan.vertices)
    assert np.array_equal(result.merged.faces[: len(result.scan.faces)], result.scan.faces)
    core = wound[scan.faces].all(axis=1).sum()
    assert 0.9 * core < len(bed) < 1.8 * core
    result.save(tmp_path)
    assert np.allclose(read_scan(tmp_path / "defect.ply").vertices, result.defect.vertices)
    header = (tmp_path / "merged.ply").read_bytes()[:1000]
    if how == "marked":
        assert result.defect_probability is None and b"defect_probability" not in header
    else:
        assert result.defect_probability.shape == (len(result.scan.faces),) and b"float defect_probability" in header
        assert not result.merged_defect_probability[count:].any()


@pytest.mark.slow
def test_what_was_found_is_said_and_what_was_marked_is_not_searched_for(marked, found):
    assert any("show no face where one must be" in text for text in found.report.warnings)
    assert found.report.defect_mm2["found"] > 1000 and "marked" not in found.report.defect_mm2
    assert not any("show no face" in text for text in marked.report.warnings)
    assert marked.report.defect_mm2["marked"] > 1000 and "found" not in marked.report.defect_mm2


@pytest.mark.slow
def test_a_whole_face_loses_nothing(truth, model):
    result = complete(truth, model=model)
    assert not len(result.defect.faces) and not result.report.defect_mm2
    assert not any("show no face" in text for text in result.report.warnings)


@pytest.mark.slow
def test_doubted_skin_is_kept_and_not_believed(scan, wound, truth, model, tmp_path):
    """Its triangles stay in the result as scanned, and the face does not follow them; a file keeps all of it."""
    result = complete(scan, model=model, missing="none", doubted=wound)
    assert np.array_equal(result.scan.faces, scan.faces) and not len(result.defect.faces)
    assert (result.provenance[deep(result, wound, truth)] != Provenance.OBSERVED).all()
    assert error_mm(result, truth, wound) < 1.3
    assert result.report.defect_mm2["doubted"] > 1000
    result.save(tmp_path, keep=True)
    back = Completion.load(tmp_path, model=model)
    assert np.array_equal(back.context.scan.doubted, result.context.scan.doubted)
    assert np.array_equal(back.face.vertices, result.face.vertices)


@pytest.fixture(scope="module")
def aligned(scan, model):
    """The scan cleaned and with its pose found; nothing is marked yet."""
    state = CompletionState(raw=scan, unit="mm", model=model)
    return COMPLETION.without("read", "load model").up_to("align").run(state)


def left_out(state, missing, *, snap=True):
    """Triangles of the defect once marks are applied to a scan whose pose is known."""
    marks = COMPLETION.starting_at("read marks").up_to("read marks")
    marked = marks.run(replace(state, raw=state.scan.mesh, missing=missing, snap_marks=snap))
    return apply_outlines(apply_marks(marked)).scan.defect


@pytest.mark.slow
def test_a_region_or_an_outline_marks_it_too(aligned, scan, wound, tmp_path):
    rim = [[-24, -10, 0], [24, -10, 0], [26, 20, 0], [14, 42, 0], [-14, 42, 0], [-26, 20, 0]]
    (tmp_path / "wound.json").write_text(json.dumps({"outlines": [rim]}))
    core = wound[scan.faces].all(axis=1).sum()
    for marks in ("nose_and_glabella", tmp_path / "wound.json"):
        assert 0.7 * core < len(left_out(aligned, marks).faces) < 2.5 * core
    names = region_names(aligned.template)
    assert {"nose", "l_ear", "left_orbit", "cheek"} <= set(names) and all(isinstance(name, str) for name in names)


@pytest.mark.slow
def test_borders_of_marks_are_left_alone_where_asked(aligned, scan, wound):
    snapped, plain = (len(left_out(aligned, wound, snap=snap).faces) for snap in (True, False))
    assert 1.0 <= plain / (wound[scan.faces].sum(axis=1) >= 2).sum() < 1.1 and plain < snapped


def test_marks_that_leave_nothing_or_lie_elsewhere_are_refused(scan, model):
    with pytest.raises(ScanError, match="all of the scan is marked"):
        complete(scan, model=model, missing=scan.vertices)
    with pytest.raises(ValueError, match="own frame and unit"):
        complete(scan, model=model, missing=scan.vertices[:50] + 500.0)
    with pytest.raises((ValueError, FacecomError), match="marks nothing"):
        complete(scan, model=model, missing="snout")


def test_the_command_line_hands_marks_on():
    given = ["complete", "scan.ply", "--out", "out"]
    plain = mark_options(parser().parse_args(given))
    assert plain == {"missing": "auto", "doubted": None, "snap_marks": True}
    marks = ["--missing", "a.ply", "--missing", "nose", "--doubted", "b.json", "--no-snap"]
    told = mark_options(parser().parse_args([*given, *marks]))
    assert told == {"missing": ["a.ply", "nose"], "doubted": ["b.json"], "snap_marks": False}
    assert mark_options(parser().parse_args([*given, "--missing", "none"]))["missing"] == "none"


@pytest.mark.slow
def test_a_defect_in_another_pose_and_order_is_found_as_well(scan, model, found):
    way = Similarity(rotation_from_vector([0.4, -0.3, 0.2]), np.array([60.0, -20.0, 400.0]))
    place = np.random.default_rng(1).permutation(len(scan.faces))
    moved = Mesh(way.apply(scan.vertices), scan.faces[place])
    search = COMPLETION.without("read", "load model").up_to("find defects")
    state = search.run(CompletionState(raw=moved, unit="mm", model=model, missing="auto"))
    assert 0.9 < state.found_mm2 / found.report.defect_mm2["found"] < 1.1
