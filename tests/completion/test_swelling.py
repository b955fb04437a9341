"""Skin beside a defect that stands up from where the rest of the scan puts it is doubted, and no other skin."""

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from facecom.completion import COMPLETION, CompletionSettings, CompletionState
from facecom.completion.alignment import prepare_scan, split_scan
from facecom.completion.defect_stages import doubt_swelling
from facecom.completion.swelling import distance_to_unbelieved, swollen_strip
from facecom.evaluation.defects import defect_mask
from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.model.linear.generator import LinearGenerator

SETTINGS = CompletionSettings()


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


@pytest.fixture(scope="module")
def whole(model):
    mean = Mesh(model.decode(np.zeros(model.code_size), level=2), model.faces(2))
    return mean.submesh((mean.vertices[mean.faces][..., 2] > -75.0).all(1))[0]


@pytest.fixture(scope="module")
def wound(whole):
    return defect_mask(whole.vertices, "nose", seed=0)


def scan_with(whole, wound, height, *, unit="mm", doubted=False):
    """The mean face, (V,) `height` above itself, with its nose left out or doubted."""
    moved = whole.with_vertices(whole.vertices + height[:, None] * vertex_normals(whole.vertices, whole.faces))
    scan = prepare_scan(moved, unit=unit, settings=SETTINGS)
    gone = cKDTree(moved.vertices[wound]).query(scan.mesh.vertices)[0] < 1e-6
    marked, nothing = gone[scan.mesh.faces].any(axis=1), np.zeros(len(scan.mesh.faces), bool)
    parts = {"defect": nothing, "doubted": marked} if doubted else {"defect": marked, "doubted": nothing}
    return split_scan(scan, **parts, settings=SETTINGS)


def swollen(scan, model):
    distance = distance_to_unbelieved(scan, SETTINGS)
    return swollen_strip(
        scan, model, np.zeros(model.code_size), pose=Similarity(), distance=distance, settings=SETTINGS.swelling
    ), distance


@pytest.fixture(scope="module")
def away(whole, wound):
    """How far from the wound each vertex lies, mm."""
    return cKDTree(whole.vertices[wound]).query(whole.vertices)[0]


def test_without_a_defect_nothing_is_near_one(whole, model):
    scan = prepare_scan(whole, unit="mm", settings=SETTINGS)
    strip, distance = swollen(scan, model)
    assert np.isinf(distance).all() and not strip.any()


@pytest.mark.parametrize("doubted", [False, True])
def test_a_border_that_stands_up_is_doubted_all_round(whole, wound, away, model, doubted):
    scan = scan_with(whole, wound, 0.8 * np.exp(-away / 5.0), doubted=doubted)
    strip, distance = swollen(scan, model)
    assert strip.sum() > 100 and np.array_equal(strip, distance < SETTINGS.swelling.doubted_mm)


@pytest.mark.parametrize("kind", ["flat", "sunken", "up and down", "askew", "one side", "far"])
def test_a_border_that_does_not_stand_up_over_most_of_its_length_is_believed(whole, wound, away, model, kind):
    height = {
        "flat": np.zeros(len(away)),
        "sunken": -0.8 * np.exp(-away / 5.0),
        "up and down": np.random.default_rng(0).normal(0.0, 0.4, len(away)),
        "askew": 0.8 * np.exp(-away / 5.0) * np.sign(whole.vertices[:, 0]),
        "one side": 0.8 * np.exp(-away / 5.0) * (whole.vertices[:, 0] > 10.0),
        "far": 0.8 * (away > 10.0),
    }[kind]
    strip, distance = swollen(scan_with(whole, wound, height), model)
    assert (distance < SETTINGS.swelling.doubted_mm).sum() > 100 and not strip.any()


@pytest.mark.slow
def test_a_swollen_wound_is_completed_better_for_it(whole, wound, away, model):
    """Its swelling is not all marked, as nobody would; and a wound without swelling is completed no worse."""
    code = 0.5 * np.random.default_rng(3).normal(size=model.code_size)  # scanned heads have codes of this size
    mean, face = (model.decode(entries, level=2) for entries in (np.zeros_like(code), code))
    faces = model.faces(2)
    face = Mesh(face, faces).submesh((mean[faces][..., 2] > -75.0).all(1))[0]
    free, held = np.flatnonzero(wound), np.flatnonzero(~wound)
    laplacian = uniform_laplacian(face.faces, len(face.vertices)).tocsr()
    errors = {}
    for up in (0.0, 4.0):
        swelling = up * np.exp(-((away / 6.0) ** 2))
        vertices = face.vertices + swelling[:, None] * vertex_normals(face.vertices, face.faces)
        vertices[free] = spsolve(laplacian[free][:, free].tocsc(), -(laplacian[free][:, held] @ vertices[held]))
        painted = vertices[wound | (swelling > 0.6)]
        start = CompletionState(raw=Mesh(vertices, face.faces), unit="mm", model=model, missing=painted)
        before = COMPLETION.without("read", "load model").up_to("fit").run(start)
        after = doubt_swelling(before)
        for name, state in (("before", before), ("after", after)):
            shown = state.fit.pose.inverse().apply(model.decode(state.fit.code, level=2))
            distance = Surface(Mesh(shown, model.faces(2))).closest(face.vertices[wound]).distance
            errors[name, up] = distance.mean()
    assert errors["after", 4.0] < 0.85 * errors["before", 4.0]
    assert errors["after", 0.0] < 1.05 * errors["before", 0.0] + 0.02


def test_a_job_without_marks_is_not_fitted_again(whole, model, monkeypatch):
    scan = prepare_scan(whole, unit="mm", settings=SETTINGS)
    monkeypatch.setattr("facecom.completion.stages.fit", lambda state: pytest.fail("fitted again"))
    state = CompletionState(scan=scan, model=model, fit=object())
    assert doubt_swelling(state) is state
