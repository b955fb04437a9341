import sys

import numpy as np
import pytest

from facecom.errors import MissingDependency
from facecom.evaluation import baselines
from facecom.evaluation.measures import surface_errors
from facecom.geometry.mesh import Mesh, boundary_loops
from facecom.geometry.sampling import sample_surface


@pytest.fixture(scope="module")
def truth(sheet) -> Mesh:
    flat = sheet(16, 16)
    x, y = (flat.vertices[:, :2] * 5 - 40).T
    return flat.with_vertices(np.stack([x, y, -0.008 * (x**2 + y**2)], 1))


@pytest.fixture(scope="module")
def in_hole(truth) -> np.ndarray:
    return np.linalg.norm(truth.vertices[truth.faces].mean(1)[:, :2], axis=1) < 14


@pytest.fixture(scope="module")
def scan(truth, in_hole) -> Mesh:
    return truth.submesh(~in_hole)[0]


@pytest.fixture(scope="module")
def guess(truth) -> Mesh:
    return truth.with_vertices(truth.vertices * [1, 1, 0.8] + [0, 0, -0.5])


def errors(truth: Mesh, where: np.ndarray, completed: Mesh) -> float:
    points = sample_surface(truth.submesh(where)[0], 300, seed=0).points
    return surface_errors(points, completed).mean


def test_the_given_face_is_what_was_given(scan, guess):
    assert baselines.given_face(scan, guess) is guess


def test_poisson_covers_the_scan_and_closes_the_hole(truth, in_hole, scan, guess):
    made = baselines.poisson(scan, guess, depth=6)
    assert errors(truth, ~in_hole, made) < 0.5
    assert errors(truth, in_hole, made) < 2.5


def test_nricp_follows_the_scan_and_a_gate_keeps_the_shape_of_the_hole(truth, in_hole, scan, guess):
    pytest.importorskip("rtree", reason="rtree is an extra: facecom[peers]")
    made = baselines.nricp(scan, guess)
    assert errors(truth, ~in_hole, made) < 0.5 * errors(truth, ~in_hole, guess)
    gated = baselines.nricp(scan, guess, gate_mm=4.0)
    assert errors(truth, in_hole, gated) < errors(truth, in_hole, made)


def test_pymeshlab_fills_the_hole_and_leaves_the_border(scan, guess):
    pytest.importorskip("pymeshlab", reason="pymeshlab is an extra: facecom[peers]")
    made = baselines.close_holes(scan, guess)
    assert len(boundary_loops(scan.faces)) == 2
    assert [len(loop) for loop in boundary_loops(made.faces)] == [64]


@pytest.mark.parametrize(("method", "module"), [("nricp", "rtree"), ("close_holes", "pymeshlab")])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, scan, guess, method, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency, match=rf"{module} is needed .* 'facecom\[peers\]'"):
        getattr(baselines, method)(scan, guess)


def test_every_baseline_has_the_same_signature():
    assert len(baselines.BASELINES) == 5
    with pytest.raises(TypeError):
        baselines.BASELINES["another"] = baselines.given_face
