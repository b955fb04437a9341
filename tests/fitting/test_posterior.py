from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.fitting.posterior import (
    PosteriorSettings,
    calibrated_sigma,
    condition_on_points,
    distance_to_observed,
    far_factor,
    mobility,
    motion_jacobian,
    posterior_sigma,
    sample_posterior,
    variance_factor,
)
from facecom.geometry.mesh import unit
from facecom.geometry.transform import rotation_from_vector

SETTINGS = PosteriorSettings()
LINE = np.stack([np.arange(30.0), np.zeros(30), np.zeros(30)], 1)
OBSERVED = np.arange(30) < 10


def precision(seed, size):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    return root @ root.T + np.eye(size)


@given(st.integers(0, 10_000))
def test_sigma_is_what_the_dense_inverse_says(seed):
    rng = np.random.default_rng(seed)
    jacobian, vertices, normals = rng.normal(size=(27, 4)), rng.normal(size=(9, 3)) * 5, unit(rng.normal(size=(9, 3)))
    inverse = np.linalg.inv(precision(seed, 10))
    rows = np.concatenate([jacobian.reshape(9, 3, 4), motion_jacobian(vertices)], axis=2)
    expected = [np.sqrt(n @ r @ inverse @ r.T @ n) for n, r in zip(normals, rows, strict=True)]
    assert np.allclose(posterior_sigma(jacobian, vertices, normals, precision(seed, 10)), expected)


@given(st.integers(0, 10_000))
def test_motion_rows_are_the_derivative_of_the_motion(seed):
    rng = np.random.default_rng(seed)
    vertices, delta = rng.normal(size=(8, 3)) * 50, rng.normal(size=6) * 1e-6
    change = vertices @ rotation_from_vector(delta[:3]).T + delta[3:] - vertices
    assert np.allclose(motion_jacobian(vertices) @ delta, change, atol=1e-9)


def test_draws_have_the_posterior_covariance():
    drawn = sample_posterior(precision(1, 5), count=40_000, seed=0)
    expected = np.linalg.inv(precision(1, 5))
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs(np.cov(drawn.T) - expected).max() < 0.03 * scale.max()
    assert np.abs(drawn.mean(0) / np.sqrt(np.diag(expected))).max() < 0.03


def test_draws_follow_the_seed():
    first, again, other = (sample_posterior(precision(1, 5), count=3, seed=seed) for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@given(st.integers(0, 10_000), st.floats(0.4, 4))
def test_pull_reaches_what_is_asked_exactly(seed, factor):
    rng = np.random.default_rng(seed)
    rows, residuals = rng.normal(size=(3, 8)), rng.normal(size=3)
    deviation = condition_on_points(rows, precision(seed, 8), residuals, sigma_mm=np.full(3, 1e-6), factor=factor)
    assert np.allclose(rows @ deviation, residuals, atol=1e-6)


@given(st.integers(0, 10_000), st.floats(0.4, 4))
def test_pull_is_the_minimum_of_its_cost(seed, factor):
    rng = np.random.default_rng(seed)
    rows, residuals, sigma, inverse = rng.normal(size=(3, 8)), rng.normal(size=3), np.full(3, 0.3), precision(seed, 8)
    deviation = condition_on_points(rows, inverse, residuals, sigma_mm=sigma, factor=factor)
    slope = inverse @ deviation / factor**2 + rows.T @ ((rows @ deviation - residuals) / sigma**2)
    assert np.abs(slope).max() < 1e-6 * max(np.abs(rows.T @ (residuals / sigma**2)).max(), 1e-9)


def test_mobility_is_none_on_observed_skin_and_grows_into_the_hole():
    free = mobility(LINE, OBSERVED, settings=SETTINGS)
    assert (free[OBSERVED] == 0).all()
    assert (np.diff(free[9:]) > 0).all()
    assert 0.98 < free[-1] <= 1.0


def test_sigma_grows_into_the_hole():
    sigma = calibrated_sigma(np.full(30, 0.4), LINE, OBSERVED, residual_mm=0.15, settings=SETTINGS)
    assert np.allclose(sigma[OBSERVED], SETTINGS.observed_mm)
    assert (np.diff(sigma[9:]) > 0).all()


@given(st.floats(0.01, 2), st.floats(0.01, 2))
def test_sigma_grows_with_what_the_fit_leaves(a, b):
    low, high = sorted((a, b))
    assert variance_factor(low, settings=SETTINGS) <= variance_factor(high, settings=SETTINGS)


def test_calibration_scales_what_is_made_up_alone():
    doubled = replace(SETTINGS, scale=2 * SETTINGS.scale)
    once, twice = (
        calibrated_sigma(np.full(30, 5.0), LINE, OBSERVED, residual_mm=0.15, settings=s) for s in (SETTINGS, doubled)
    )
    assert np.allclose(once[OBSERVED], twice[OBSERVED])
    assert np.allclose(twice[20:] / once[20:], 2.0, rtol=1e-2)


def test_what_lies_far_from_anything_observed_is_less_sure_than_the_posterior_says():
    along = np.stack([np.linspace(0, 400, 30), np.zeros(30), np.zeros(30)], 1)
    flat = replace(SETTINGS, far_gain=0.0, observed_mm=1e-9)
    plain, wider = (
        calibrated_sigma(np.full(30, 0.4), along, OBSERVED, residual_mm=0.15, settings=s)
        for s in (flat, replace(flat, far_gain=1.5))
    )
    ratio = wider[~OBSERVED] / plain[~OBSERVED]
    assert (np.diff(ratio) >= 0).all()
    assert ratio[0] < 1.2 and ratio[-1] > 1.8 and np.isfinite(ratio).all()
    assert far_factor(np.zeros(3), settings=SETTINGS).tolist() == [1.0] * 3


def test_distance_where_nothing_is_observed():
    assert np.isinf(distance_to_observed(LINE, np.zeros(30, bool), reach_mm=9.0)).all()
    found = distance_to_observed(LINE, OBSERVED, reach_mm=15.5)
    assert found.tolist() == pytest.approx([0.0] * 10 + list(range(1, 16)) + [np.inf] * 5)
