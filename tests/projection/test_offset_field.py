"""Matern precision and posterior mean against their definitions."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import linalg as sparse_linalg

from facecom.projection.offset_field import (
    direct_posterior_field,
    matern_precision,
    posterior_field,
    robust_posterior_field,
)


def middle(mesh):
    return int(np.argmin(np.linalg.norm(mesh.vertices - mesh.vertices.mean(0), axis=1)))


def covariance(mesh, vertex, *, correlation_mm, sigma_mm):
    """A column of the inverse precision."""
    precision = matern_precision(mesh.vertices, mesh.faces, correlation_mm=correlation_mm, sigma_mm=sigma_mm)
    return sparse_linalg.spsolve(precision.tocsc(), np.eye(1, len(mesh.vertices), vertex).ravel())


@pytest.mark.parametrize(("correlation", "sigma"), [(8.0, 0.5), (12.0, 2.0)])
def test_field_has_the_variance_and_the_range_asked_for(square, correlation, sigma):
    vertex = middle(square)
    column = covariance(square, vertex, correlation_mm=correlation, sigma_mm=sigma)
    distance = np.linalg.norm(square.vertices - square.vertices[vertex], axis=1)
    assert np.sqrt(column[vertex]) == pytest.approx(sigma, rel=0.1)
    ring = np.abs(distance - correlation) < 0.6
    # Matern correlation with smoothness one at the distance called range: sqrt(8) K1(sqrt(8)) = 0.14
    assert column[ring].mean() / column[vertex] == pytest.approx(0.14, abs=0.03)


def test_precision_is_symmetric_and_positive(square):
    precision = matern_precision(square.vertices, square.faces, correlation_mm=9.0, sigma_mm=0.4)
    assert abs(precision - precision.T).max() < 1e-9 * abs(precision).max()
    assert sparse_linalg.eigsh(precision, k=1, sigma=0, return_eigenvectors=False)[0] > 0


def test_both_solvers_reach_the_exact_solution(square):
    rng = np.random.default_rng(0)
    precision = matern_precision(square.vertices, square.faces, correlation_mm=5.0, sigma_mm=0.3)
    residual, weight = rng.normal(size=len(square.vertices)), (rng.random(len(square.vertices)) < 0.7) / 0.1**2
    exact = sparse_linalg.spsolve((precision + sp.diags(weight)).tocsc(), weight * residual)
    iterated = posterior_field(precision, residual, weight, tolerance=1e-6)
    assert np.allclose(iterated, exact, atol=1e-3 * np.abs(exact).max())
    assert np.allclose(direct_posterior_field(precision, residual, weight), exact, atol=1e-9 * np.abs(exact).max())


@given(st.integers(0, 10_000))
def test_field_satisfies_the_normal_equations(seed):
    rng = np.random.default_rng(seed)
    root = sp.csr_matrix(rng.normal(size=(6, 6)))
    precision, residual, weight = (root.T @ root + sp.eye(6)).tocsr(), rng.normal(size=6), rng.random(6)
    field = posterior_field(precision, residual, weight, tolerance=1e-12)
    assert np.allclose(precision @ field, weight * (residual - field), atol=1e-9)


def test_outliers_from_the_trend_are_not_followed(square):
    precision = matern_precision(square.vertices, square.faces, correlation_mm=14.0, sigma_mm=0.5)
    residual = 0.02 * square.vertices[:, 0]
    spike = np.zeros(len(residual), bool)
    spike[len(residual) // 3 :: 97] = True
    weight = np.full(len(residual), 1 / 0.15**2)
    options = {
        "trend_weight": np.full(len(residual), 1 / 2.0**2),
        "trend_basis": sp.eye(len(residual)),
        "robust_mm": 1.0,
    }
    clean = robust_posterior_field(precision, residual, weight, **options)
    spiked = robust_posterior_field(precision, residual + 6.0 * spike, weight, **options)
    followed = sparse_linalg.spsolve((precision + sp.diags(weight)).tocsc(), weight * (residual + 6.0 * spike))
    assert np.abs(spiked - clean)[spike].max() < 0.15
    assert np.abs(followed - clean)[spike].min() > 0.4


def test_lengths_in_another_unit_give_the_same_field(square):
    """Ten times all lengths, a hundredth of all weights: ten times the field."""
    precision = matern_precision(square.vertices, square.faces, correlation_mm=14.0, sigma_mm=0.5)
    residual = np.random.default_rng(0).normal(size=len(square.vertices))
    weight, loose = np.full(len(residual), 40.0), np.full(len(residual), 0.25)
    field = robust_posterior_field(
        precision, residual, weight, trend_weight=loose, trend_basis=sp.eye(len(residual)), robust_mm=0.7
    )
    scaled = robust_posterior_field(
        precision / 100,
        10 * residual,
        weight / 100,
        trend_weight=loose / 100,
        trend_basis=sp.eye(len(residual)),
        robust_mm=7.0,
    )
    assert np.allclose(scaled, 10 * field, rtol=1e-6)


def test_a_trend_on_the_level_above_is_as_good(levels):
    ((vertices, faces), _), (basis, _) = levels
    precision = matern_precision(vertices, faces, correlation_mm=14.0, sigma_mm=0.5)
    rng = np.random.default_rng(4)
    residual = np.sin(vertices[:, 0] / 15.0) + 3.0 * (rng.random(len(vertices)) < 0.03)
    weight = (np.hypot(*vertices[:, :2].T) > 15.0) / 0.15**2
    options = {"trend_weight": weight * 0.15**2 / 2.0**2, "robust_mm": 1.0}
    full = robust_posterior_field(precision, residual, weight, trend_basis=sp.eye(len(residual)), **options)
    small = robust_posterior_field(precision, residual, weight, trend_basis=basis, **options)
    assert np.std(full - small) < 0.03 * np.std(full)


def test_field_falls_back_to_its_prior_mean_in_a_hole(square):
    distance = np.linalg.norm(square.vertices - square.vertices.mean(0), axis=1)
    precision = matern_precision(square.vertices, square.faces, correlation_mm=8.0, sigma_mm=0.5)
    field = posterior_field(precision, np.ones(len(distance)), (distance > 20.0) / 0.05**2, tolerance=1e-4)
    assert np.abs(field[distance > 22].mean() - 1.0) < 0.02
    assert abs(field[middle(square)]) < 0.05
