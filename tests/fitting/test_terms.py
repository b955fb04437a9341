import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.fitting.terms import (
    geman_mcclure,
    geman_mcclure_cost,
    landmark_rows,
    landmark_targets,
    midline_pairs,
    point_to_plane_rows,
    symmetry_residuals,
)
from facecom.geometry.correspondence import Correspondences
from facecom.geometry.mesh import unit
from facecom.geometry.transform import rotation_from_vector

STEP = 1e-6


def problem(seed, count=12, modes=4):
    """Vertices, a Jacobian, and partners with normals."""
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(count, 3)) * 40
    jacobian = rng.normal(size=(3 * count, modes))
    points = vertices + rng.normal(size=(count, 3))
    matches = Correspondences(points, unit(rng.normal(size=(count, 3))), np.ones(count), np.ones(count, bool))
    return vertices, jacobian, matches, rng.permutation(count)[:7]


def moved(vertices, jacobian, delta):
    """Shape first, then the small motion of the face."""
    shaped = vertices + (jacobian @ delta[:-6]).reshape(-1, 3)
    return shaped @ rotation_from_vector(delta[-6:-3]).T + delta[-3:]


def slopes(residuals_of, size):
    """Central differences of minus the residuals: the rows say how much of a gap a step closes."""
    steps = STEP * np.eye(size)
    return np.stack([(residuals_of(-step) - residuals_of(step)) / (2 * STEP) for step in steps], axis=1)


@given(st.integers(0, 10_000))
def test_plane_rows_are_the_derivative_of_the_residuals(seed):
    vertices, jacobian, matches, pick = problem(seed)

    def residuals_of(delta):
        at = moved(vertices, jacobian, delta)[pick]
        return np.einsum("nd,nd->n", matches.normals[pick], matches.points[pick] - at)

    rows, residuals = point_to_plane_rows(matches, vertices, jacobian, pick=pick)
    assert np.allclose(residuals, residuals_of(np.zeros(10)), atol=1e-12)
    assert np.allclose(rows, slopes(residuals_of, 10), atol=1e-5)


def test_pairs_are_mirror_images_beside_the_midline_of_which_both_were_found():
    vertices = np.array(
        [[3.0, 0, 0], [-3.0, 0, 0], [0.0, 1, 0], [20.0, 0, 0], [-20.0, 0, 0], [5.0, 9, 0], [-5.0, 9, 0]]
    )
    mirror = np.array([1, 0, 2, 4, 3, 6, 5])
    pick = np.array([6, 0, 1, 2, 3, 4])  # 5 was not found
    assert pick[midline_pairs(mirror, vertices, pick, strip_mm=8.0)].tolist() == [[0, 1]]
    assert pick[midline_pairs(mirror, vertices, pick, strip_mm=30.0)].tolist() == [[0, 1], [3, 4]]


@given(st.floats(-0.05, 0.05), st.floats(-2.0, 2.0), st.integers(0, 1000))
def test_the_sides_show_a_turn_whatever_else_both_lack(yaw, lack, seed):
    """A roof along the midline, seen turned, and lacking the same on both sides: what both lack drops out."""
    rng = np.random.default_rng(seed)
    half = np.column_stack([rng.uniform(2, 8, 20), rng.uniform(-50, 50, 20), np.zeros(20)])
    half[:, 2] = -0.5 * half[:, 0]
    vertices = np.concatenate([half, half * [-1, 1, 1]])
    normals = unit(np.column_stack([np.sign(vertices[:, 0]) * 0.5, np.zeros(40), np.ones(40)]))
    turn = rotation_from_vector(np.array([0.0, yaw, 0.0]))
    scan = (vertices + lack * normals) @ turn.T
    matches = Correspondences(scan, normals @ turn.T, np.ones(40), np.ones(40, bool))
    rows, residuals = point_to_plane_rows(matches, vertices, np.zeros((120, 0)), pick=np.arange(40))
    pairs = np.column_stack([np.arange(20), np.arange(20, 40)])
    odd_rows, odd_gaps, weight = symmetry_residuals(rows, residuals, np.full(40, 0.5), pairs=pairs)
    found = np.linalg.lstsq(odd_rows[:, [1, 3]], odd_gaps, rcond=None)[0]
    assert found[0] == pytest.approx(yaw, abs=0.03 * abs(yaw) + 1e-3) and np.allclose(weight, 0.5)


@given(st.integers(0, 10_000))
def test_landmark_rows_are_the_derivative_of_the_residuals(seed):
    vertices, jacobian, matches, pick = problem(seed)
    targets = matches.points[pick]
    rows, residuals = landmark_rows(targets, vertices, jacobian, pick=pick)

    def residuals_of(delta):
        return (targets - moved(vertices, jacobian, delta)[pick]).ravel()

    assert np.allclose(residuals, residuals_of(np.zeros(10)), atol=1e-12)
    assert np.allclose(rows, slopes(residuals_of, 10), atol=1e-5)


@given(st.floats(0.01, 50), st.floats(0.1, 10))
def test_geman_mcclure_weights(gap, scale):
    weight = geman_mcclure(np.array([0.0, gap, -gap, 2 * gap, scale]), scale_mm=scale)
    assert weight[0] == 1.0
    assert weight[1] == weight[2]
    assert weight[3] < weight[1] < 1.0
    assert weight[4] == pytest.approx(0.25)


@given(st.floats(0.5, 5))
def test_the_pull_of_a_far_correspondence_vanishes(scale):
    far = scale * np.array([10.0, 100.0, 1000.0])
    pull = far * geman_mcclure(far, scale_mm=scale)
    assert (np.diff(pull) < 0).all()
    assert pull[-1] < 1e-5 * scale


def test_landmarks_by_name():
    pick, targets = landmark_targets({"b": np.ones(3), "a": np.zeros(3)}, {"a": 5, "b": 7, "c": 9})
    assert dict(zip(pick.tolist(), targets[:, 0].tolist(), strict=True)) == {5: 0.0, 7: 1.0}


def test_unknown_landmark_lists_the_known():
    with pytest.raises(ValueError, match=r"unknown landmark 'x'.*a, b"):
        landmark_targets({"x": np.ones(3)}, {"a": 1, "b": 2})


@given(st.floats(0.2, 5.0), st.floats(0.0, 20.0))
def test_the_cost_is_the_one_whose_slope_the_weights_give(scale, residual):
    """Half its derivative is weight times residual, it is least where nothing is left, and vanishes far away."""
    step = 1e-5
    at = np.array([residual - step, residual + step, 0.0, 1e6])
    low, high, none, far = geman_mcclure_cost(at, scale_mm=scale)
    weight = float(geman_mcclure(np.array([residual]), scale_mm=scale)[0])
    assert 0.5 * (high - low) / (2 * step) == pytest.approx(weight * residual, abs=1e-5)
    assert none == pytest.approx(-(scale**2))
    assert -1e-6 * scale**2 <= far <= 0.0
