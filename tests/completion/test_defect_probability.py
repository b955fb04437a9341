"""How likely each triangle of a scan shows a defect: high on a membrane, low on skin, wherever the scan lies."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from facecom.completion.alignment import scan_of
from facecom.completion.defect_probability import defect_probability, place_name
from facecom.completion.defect_stages import estimate_defect_probability
from facecom.completion.marking import ScanMarks
from facecom.completion.state import CompletionState
from facecom.completion.types import CompletionSettings
from facecom.fitting.fit import Fit
from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import Mesh, face_areas, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.template import SHAPE_LEVEL
from facecom.scan.cleaning import CleanReport

SETTINGS = CompletionSettings()
CHEEK, CHIN, RADIUS_MM = np.array([38.0, -22.0, -34.0]), np.array([0.0, -64.0, -22.0]), 25.0
NOISE_MM = 0.08


@pytest.fixture(scope="module")
def model(leading_model):
    return leading_model(60, 0)


@pytest.fixture(scope="module")
def code(model):
    return np.random.default_rng(2).normal(0.0, 0.5, model.code_size)


@pytest.fixture(scope="module")
def face(model, code):
    """A face with a scanner's noise."""
    whole = Mesh(model.decode(code, level=SHAPE_LEVEL), model.faces(SHAPE_LEVEL))
    face = whole.submesh((whole.vertices[whole.faces][..., 2] > -90.0).all(axis=1))[0]
    noise = np.random.default_rng(0).normal(0.0, NOISE_MM, (len(face.vertices), 1))
    return face.with_vertices(face.vertices + noise * vertex_normals(face.vertices, face.faces))


def about(face, place):
    """Vertices within the radius of a wound about the one nearest to a place."""
    middle = face.vertices[np.argmin(np.linalg.norm(face.vertices - place, axis=1))]
    return np.linalg.norm(face.vertices - middle, axis=1) < RADIUS_MM


def covered(face, wound):
    """The face with a soap film across a wound, which a scanner's hole filling leaves."""
    free, held = np.flatnonzero(wound), np.flatnonzero(~wound)
    laplacian = uniform_laplacian(face.faces, len(face.vertices)).tocsr()
    vertices = face.vertices.copy()
    vertices[free] = spsolve(laplacian[free][:, free].tocsc(), -(laplacian[free][:, held] @ vertices[held]))
    return face.with_vertices(vertices)


@pytest.fixture(scope="module")
def wound(face):
    return about(face, CHEEK)


@pytest.fixture(scope="module")
def membrane(face, wound):
    return covered(face, wound)


def scan_from(mesh, *, mm_per_unit=1.0):
    return scan_of(mesh, "mm", mm_per_unit, removed=CleanReport(0, 0, 0, 0), settings=SETTINGS)


def told(mesh, model, code, *, pose=None, mm_per_unit=1.0, settings=SETTINGS):
    scan = scan_from(mesh, mm_per_unit=mm_per_unit)
    return defect_probability(scan, model, code, pose=pose or Similarity(), settings=settings)


@pytest.fixture(scope="module")
def found(membrane, model, code):
    return told(membrane, model, code)


def test_skin_is_skin(face, model, code):
    whole = told(face, model, code)
    assert ((whole.triangles >= 0) & (whole.triangles <= 1)).all() and whole.triangles.max() < 0.15
    assert not whole.places and not whole.doubtful.any()


def test_a_membrane_is_doubted_and_the_skin_around_it_is_not(found, membrane, wound):
    under, beside = wound[membrane.faces].all(axis=1), ~wound[membrane.faces].any(axis=1)
    assert np.median(found.triangles[under]) > 0.5 and np.median(found.triangles[beside]) < 0.01
    area = face_areas(membrane)
    assert area[found.doubtful & beside].sum() < 0.3 * area[under].sum() < area[found.doubtful & under].sum()


def test_the_midline_has_no_other_side_and_is_judged_all_the_same(face, model, code):
    wound = about(face, CHIN)
    chin = told(covered(face, wound), model, code)
    assert {place.place for place in chin.places} & {"chin", "lower lip"}
    under = wound[face.faces].all(axis=1)
    assert np.median(chin.triangles[under]) > 0.3 and np.median(chin.triangles[~under]) < 0.01


def test_its_place_is_told_in_the_scans_own_frame(found, membrane, wound):
    place = found.places[0]
    assert place.place == "left cheek" and place.probability > 0.5
    assert np.linalg.norm(membrane.vertices[wound].mean(axis=0) - place.center) < RADIUS_MM / 2
    area = face_areas(membrane)
    assert sum(p.area_mm2 for p in found.places) == pytest.approx(area[found.doubtful].sum())
    assert list(found.places) == sorted(found.places, key=lambda p: -p.area_mm2)


def test_pose_and_unit_do_not_change_it(found, membrane, model, code):
    way = Similarity(rotation_from_vector([0.4, -0.9, 0.3]), np.array([60.0, -20.0, 400.0]))
    moved = told(
        membrane.with_vertices(way.apply(membrane.vertices) / 10.0), model, code, pose=way.inverse(), mm_per_unit=10.0
    )
    assert np.allclose(moved.triangles, found.triangles, atol=1e-3)
    assert moved.places[0].area_mm2 == pytest.approx(found.places[0].area_mm2, rel=0.02)
    assert np.allclose(np.array(moved.places[0].center) * 10.0, way.apply([found.places[0].center])[0], atol=0.5)


def test_vertices_have_the_mean_of_their_triangles(found, membrane):
    values = found.vertices(membrane.faces, len(membrane.vertices))
    vertex = membrane.faces[np.argmax(found.triangles), 0]
    around = (membrane.faces == vertex).any(axis=1)
    assert values[vertex] == pytest.approx(found.triangles[around].mean()) and values.max() <= 1.0


def painted(mesh, wound, hue):
    """Skin of uneven brightness, in one hue but for the wound."""
    light = np.random.default_rng(3).uniform(0.5, 1.0, (len(mesh.vertices), 1))
    colors = light * np.array([0.8, 0.6, 0.5])
    colors[wound] = light[wound] * hue
    return replace(mesh, colors=colors)


def test_colour_speaks_for_a_defect_and_its_absence_for_nothing(found, membrane, wound, model, code):
    same, grey = (
        told(painted(membrane, wound, np.array(hue)), model, code).triangles
        for hue in ([0.8, 0.6, 0.5], [0.6, 0.6, 0.6])
    )
    assert np.allclose(same, found.triangles, atol=1e-12)
    under = wound[membrane.faces].all(axis=1)
    assert np.median(grey[under]) > 1.2 * np.median(found.triangles[under]) or np.median(grey[under]) > 0.95
    assert np.allclose(grey[~under & (found.triangles < 0.01)].mean(), found.triangles[~under].mean(), atol=0.02)


def test_a_birthmark_on_a_whole_face_is_not_doubted(face, wound, model, code):
    assert not told(painted(face, wound, np.array([0.7, 0.3, 0.35])), model, code).places


def test_a_hue_that_both_sides_have_speaks_for_nothing(face, wound, model, code):
    """As that of lips and brows."""
    both = wound | about(face, CHEEK * [-1.0, 1.0, 1.0])
    plain, rouged = (told(mesh, model, code) for mesh in (face, painted(face, both, np.array([0.8, 0.5, 0.5]))))
    core = wound[face.faces].all(axis=1)
    assert np.median(rouged.triangles[core]) < 1.5 * np.median(plain.triangles[core]) and not rouged.places


def test_both_sides_have_a_name():
    names = {place_name(np.array([x, -18.0, -34.0])) for x in (-38.0, 38.0)}
    assert names == {"left cheek", "right cheek"} and place_name(np.array([3.0, 8.0, -8.0])) == "nose"


def state_of(membrane, model, code, *, find):
    scan = scan_from(membrane)
    fit = Fit(code, Similarity(), model.decode(code, level=0), 0, np.eye(1), np.ones(1), {}, True)
    return CompletionState(model=model, scan=scan, fit=fit, marks=ScanMarks(find=find))


def test_where_it_is_not_sure_one_warning_says_where(membrane, model, code):
    done = estimate_defect_probability(state_of(membrane, model, code, find=True))
    assert len(done.warnings) == 1
    for word in ("not sure", "left cheek", "mm2 about (", "--missing"):
        assert word in done.warnings[0]
    asked = estimate_defect_probability(state_of(membrane, model, code, find=False))
    assert asked.defect_probability is None and not asked.warnings
