import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.fitting.terms import by_name, geman_mcclure, landmark_rows, plane_rows
from facecom.geometry.matching import Matches
from facecom.geometry.mesh import unit
from facecom.geometry.transform import rotation_from_vector

STEP = 1e-6


def problem(seed, count=12, modes=4):
    """Vertices, a Jacobian, and partners with normals."""
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(count, 3)) * 40
    jacobian = rng.normal(size=(3 * count, modes))
    points = vertices + rng.normal(size=(count, 3))
    matches = Matches(points, unit(rng.normal(size=(count, 3))), np.ones(count), np.ones(count, bool))
    return vertices, jacobian, matches, rng.permutation(count)[:7]


def moved(vertices, jacobian, delta):
    """Shape first, then the small motion of the face."""
    shaped = vertices + (jacobian @ delta[:-6]).reshape(-1, 3)
    return shaped @ rotation_from_vector(delta[-6:-3]).T + delta[-3:]


def slopes(gaps_of, size):
    """Central differences of minus the gaps: the rows say how much of a gap a step closes."""
    steps = STEP * np.eye(size)
    return np.stack([(gaps_of(-step) - gaps_of(step)) / (2 * STEP) for step in steps], axis=1)


@given(st.integers(0, 10_000))
def test_plane_rows_are_the_derivative_of_the_gaps(seed):
    vertices, jacobian, matches, pick = problem(seed)

    def gaps_of(delta):
        at = moved(vertices, jacobian, delta)[pick]
        return np.einsum("nd,nd->n", matches.normals[pick], matches.points[pick] - at)

    rows, gaps = plane_rows(matches, vertices, jacobian, pick=pick)
    assert np.allclose(gaps, gaps_of(np.zeros(10)), atol=1e-12)
    assert np.allclose(rows, slopes(gaps_of, 10), atol=1e-5)


@given(st.integers(0, 10_000))
def test_landmark_rows_are_the_derivative_of_the_gaps(seed):
    vertices, jacobian, matches, pick = problem(seed)
    targets = matches.points[pick]
    rows, gaps = landmark_rows(targets, vertices, jacobian, pick=pick)

    def gaps_of(delta):
        return (targets - moved(vertices, jacobian, delta)[pick]).ravel()

    assert np.allclose(gaps, gaps_of(np.zeros(10)), atol=1e-12)
    assert np.allclose(rows, slopes(gaps_of, 10), atol=1e-5)


@given(st.floats(0.01, 50), st.floats(0.1, 10))
def test_geman_mcclure_weights(gap, scale):
    weight = geman_mcclure(np.array([0.0, gap, -gap, 2 * gap, scale]), scale_mm=scale)
    assert weight[0] == 1.0
    assert weight[1] == weight[2]
    assert weight[3] < weight[1] < 1.0
    assert weight[4] == pytest.approx(0.25)


@given(st.floats(0.5, 5))
def test_pull_of_a_far_partner_vanishes(scale):
    far = scale * np.array([10.0, 100.0, 1000.0])
    pull = far * geman_mcclure(far, scale_mm=scale)
    assert (np.diff(pull) < 0).all()
    assert pull[-1] < 1e-5 * scale


def test_landmarks_by_name():
    pick, targets = by_name({"b": np.ones(3), "a": np.zeros(3)}, {"a": 5, "b": 7, "c": 9})
    assert dict(zip(pick.tolist(), targets[:, 0].tolist(), strict=True)) == {5: 0.0, 7: 1.0}


def test_unknown_landmark_lists_the_known():
    with pytest.raises(ValueError, match=r"unknown landmark 'x'.*a, b"):
        by_name({"x": np.ones(3)}, {"a": 1, "b": 2})
