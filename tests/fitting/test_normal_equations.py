import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.errors import FitError
from facecom.fitting.fit import fit
from facecom.fitting.normal_equations import cholesky_lower, motion_is_determined, solve_step
from facecom.fitting.types import FitSettings, FitStage
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity
from facecom.model.linear.generator import LinearGenerator

SIZE = 9  # three entries of a code and a motion


def information(rows):
    """Of rows summed in single precision, as the fit does, with the code's prior."""
    single = rows.astype(np.float32)
    return (single.T @ single).astype(float) + np.diag([1.0] * (SIZE - 6) + [0.0] * 6)


@given(st.integers(0, 10_000))
def test_a_determined_step_is_what_a_dense_solve_says(seed):
    rng = np.random.default_rng(seed)
    precision, slope = information(rng.normal(size=(60, SIZE))), rng.normal(size=SIZE)
    assert motion_is_determined(precision)
    assert np.allclose(solve_step(precision, slope), np.linalg.solve(precision, slope))


@given(st.integers(0, 10_000), st.integers(1, 3))
def test_an_undetermined_motion_is_found_and_moves_nothing_far(seed, missing):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(60, SIZE)) * ([1.0] * 3 + [100.0] * 3 + [1.0] * 3)
    rows[:, 3 : 3 + missing] = rows[:, :missing]  # turning looks the same as changing the shape
    rows[:, :missing] *= 1e3  # the prior alone parts the two, and single precision drowns it
    precision = information(rows)
    assert not motion_is_determined(precision)
    step = solve_step(precision, precision @ np.full(SIZE, 0.1))
    assert np.isfinite(step).all() and np.abs(step).max() < 200.0


def test_rounding_that_makes_a_matrix_indefinite_is_outweighed():
    matrix = np.ones((4, 4)) - 1e-12 * np.eye(4)
    root = cholesky_lower(matrix)
    assert np.allclose(root @ root.T, matrix, atol=1e-6)


def test_a_matrix_without_numbers_is_named():
    with pytest.raises(ValueError, match="infs or NaNs"):
        cholesky_lower(np.full((3, 3), np.nan))


def test_a_scan_that_turning_leaves_as_it_is_has_no_pose(icosphere):
    model = LinearGenerator.load()
    ball = icosphere(5)
    scan = OrientedSurface(Mesh(90.0 * ball.vertices + [0.0, 0.0, -90.0], ball.faces))
    stage = FitStage(level=0, iterations=2, modes=3, reach_mm=60.0, robust_mm=1e6, noise_mm=1.0)
    with pytest.raises(FitError, match="looks the same"):
        fit(scan, model, Similarity(), settings=FitSettings(stages=(stage,), normal_limit_rad=3.0))


def test_what_is_added_to_a_matrix_goes_by_its_own_size():
    """Rounding of a large matrix is large: a jitter that does not know that would never help."""
    matrix = 1e18 * (np.ones((4, 4)) - 1e-12 * np.eye(4))
    root = cholesky_lower(matrix)
    assert np.allclose(root @ root.T, matrix, rtol=1e-5)


def test_a_code_that_the_scan_says_nothing_of_is_no_undetermined_motion():
    """Only the six entries of the motion are asked; the code has its prior."""
    rows = np.random.default_rng(0).normal(size=(60, SIZE)) * ([1e3] * 3 + [1.0] * 6)
    rows[:, 2] = rows[:, 1]
    assert motion_is_determined(information(rows))
