import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.evaluation.measures import (
    ErrorSummary,
    angle_between,
    asymmetry,
    calibration,
    coverage,
    errors_by_region,
    normal_angle,
    surface_distance,
    surface_errors,
)
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, face_normals
from facecom.geometry.sampling import sample_surface
from facecom.geometry.transform import rotation_from_vector


def test_figures_agree_with_sorting_by_hand():
    values = np.arange(1.0, 101.0)[::-1]
    errors = ErrorSummary.of(values.reshape(10, 10))
    assert (errors.count, errors.mean, errors.median, errors.max) == (100, 50.5, 50.5, 100)
    assert errors.p95 == pytest.approx(95.05)


def test_no_values_have_no_figures():
    none = ErrorSummary.of([])
    assert none.count == 0
    assert np.isnan([none.mean, none.median, none.p95, none.max]).all()


def test_a_surface_moved_along_its_normals_is_that_far_off(icosphere):
    truth, grown = icosphere(4, radius=80.0), icosphere(4, radius=81.5)
    points = sample_surface(truth, 2000, seed=0).points
    errors = surface_errors(points, grown)
    assert errors.mean == pytest.approx(1.5, abs=0.01)
    assert surface_errors(points, truth).max < 1e-4
    np.testing.assert_allclose(surface_distance(points, Surface(grown)), surface_distance(points, grown))


def test_the_error_counts_what_is_not_there(icosphere):
    ball = icosphere(3, radius=80.0)
    half, _ = ball.submesh(ball.vertices[ball.faces].mean(1)[:, 2] > 0)
    points = sample_surface(ball, 4000, seed=0).points
    assert surface_errors(points, half).max > 70
    assert coverage(points, half, within_mm=2.0) == pytest.approx(0.5, abs=0.03)
    assert coverage(points, ball) == 1.0
    with pytest.raises(ValueError, match="at least one"):
        coverage(np.zeros((0, 3)), ball)


def test_regions_are_measured_apart_and_unnamed_ones_not_at_all():
    values, labels = np.array([1.0, 2, 3, 100]), np.array([4, 4, 7, 9])
    by_region = errors_by_region(values, labels, {4: "nose", 7: "cheek", 8: "ear"})
    assert list(by_region) == ["nose", "cheek", "ear"]
    assert by_region["nose"].mean == 1.5
    assert by_region["cheek"].max == 3
    assert by_region["ear"].count == 0
    with pytest.raises(ValueError, match="a label for each value"):
        errors_by_region(values, labels[:2], ["nose"])


@given(st.floats(0, np.pi), st.integers(0, 1000))
def test_angles_are_those_of_the_rotation(angle, seed):
    rng = np.random.default_rng(seed)
    axis, vector = np.linalg.qr(rng.normal(size=(3, 2)))[0].T
    turned = rotation_from_vector(angle * axis) @ vector
    assert angle_between(vector[None] * 5, turned[None] / 3)[0] == pytest.approx(angle, abs=1e-7)


def test_small_angles_are_not_rounded_away():
    assert angle_between(np.array([[1.0, 0, 0]]), np.array([[1.0, 1e-9, 0]]))[0] == pytest.approx(1e-9, rel=1e-6)


def test_normals_agree_on_the_surface_itself_and_are_opposite_inside_out(icosphere):
    ball = icosphere(2, radius=10.0)
    drawn = sample_surface(ball, 200, seed=0)
    inner = drawn.points[drawn.barycentric.min(1) > 0.05]
    normals = face_normals(ball)[drawn.faces][drawn.barycentric.min(1) > 0.05]
    np.testing.assert_allclose(normal_angle(inner, normals, ball), 0, atol=1e-6)
    inverted = Mesh(ball.vertices, ball.faces[:, ::-1])
    np.testing.assert_allclose(normal_angle(inner, normals, inverted), np.pi, atol=1e-6)


def symmetric_points(count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    half = np.random.default_rng(0).normal(size=(count, 3)) * 30 + [40, 0, 0]
    return np.concatenate([half, half * [-1, 1, 1]]), np.concatenate([np.arange(count) + count, np.arange(count)])


@given(st.integers(0, 1000))
def test_a_symmetric_shape_has_no_asymmetry_in_any_pose(seed):
    points, mirror = symmetric_points()
    rng = np.random.default_rng(seed)
    moved = points @ rotation_from_vector(rng.normal(size=3) * 3).T + rng.normal(size=3) * 100
    np.testing.assert_allclose(asymmetry(moved, mirror), 0, atol=1e-9)


def test_asymmetry_is_the_distance_to_the_mirrored_counterpart():
    points, mirror = symmetric_points()
    dented = points.copy()
    dented[3] += [0, 2.0, 0]
    found = asymmetry(dented, mirror)
    assert found[3] == pytest.approx(2, abs=0.2)
    assert found[mirror[3]] == pytest.approx(2, abs=0.2)
    assert np.delete(found, [3, mirror[3]]).max() < 0.2
    with pytest.raises(ValueError, match="counterpart"):
        asymmetry(points, np.roll(np.arange(len(points)), 1))


def test_gaussian_errors_with_their_own_sigma_are_calibrated():
    rng = np.random.default_rng(0)
    sigma = rng.uniform(0.1, 3, 50_000)
    errors = rng.normal(size=50_000) * sigma
    for row in calibration(errors, sigma, shares=(0.5, 0.9)):
        assert row.found == pytest.approx(row.share, abs=0.01)
        assert row.count == 50_000
    (half,) = calibration(errors, sigma / 2, shares=[0.5])
    assert half.found == pytest.approx(0.264, abs=0.01)  # P(|z| < 0.674 / 2)


@pytest.mark.parametrize(
    ("sigma", "shares", "message"),
    [([1.0, 0.0], [0.5], "positive sigma"), ([1.0], [0.5], "positive sigma"), ([1.0, 1.0], [90], "between 0 and 1")],
)
def test_bands_without_meaning_are_refused(sigma, shares, message):
    with pytest.raises(ValueError, match=message):
        calibration([0.1, 0.2], sigma, shares=shares)
