"""Gaussian fields on a surface: Matern covariance as a sparse precision matrix, and the posterior mean given data.

The precision is that of a stochastic partial differential equation (Lindgren, Rue and Lindstroem 2011, eq. 10).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse import linalg as sparse_linalg

from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Floats, Ints

MAX_ITERATIONS = 40
"""Conjugate gradient steps of `posterior_field` at most: enough where the field forgets over a few edges."""


def matern_precision(vertices: Floats, faces: Ints, *, correlation_mm: float, sigma_mm: float) -> sp.csr_matrix:
    """Sparse precision (V, V) of a Gaussian field on a surface with a Matern covariance of smoothness one.

    Range and variance follow Lindgren et al. (2011), section 2: kappa = sqrt(8) / range,
    sigma squared = 1 / (4 pi kappa squared tau squared).

    Parameters
    ----------
    vertices : (V, 3) float, mm
    faces : (F, 3) int
    correlation_mm : float
        Range: the distance at which the correlation has fallen to 0.14.
    sigma_mm : float
        Standard deviation of the field, away from the border.

    Examples
    --------
    >>> square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> matern_precision(square, np.array([[0, 1, 2], [0, 2, 3]]), correlation_mm=5.0, sigma_mm=0.5).shape
    (4, 4)
    """
    kappa = np.sqrt(8.0) / correlation_mm
    tau = 1.0 / (np.sqrt(4 * np.pi) * kappa * sigma_mm)
    area = vertex_areas(vertices, faces)
    operator = kappa**2 * sp.diags(area) + cotangent_stiffness(vertices, faces)
    return (tau**2 * (operator.T @ sp.diags(1.0 / np.maximum(area, 1e-9)) @ operator)).tocsr()


def posterior_field(precision: sp.csr_matrix, residual: Floats, weight: Floats, *, tolerance: float = 1e-2) -> Floats:
    """Posterior mean (V,) of a zero-mean field by preconditioned conjugate gradients, for short correlation lengths.

    Parameters
    ----------
    precision : (V, V) sparse
    residual : (V,) float, observed values of the field, mm
    weight : (V,) float, 1 / variance of each, zero where nothing is observed
    tolerance : float, relative residual at which the iterations end

    Examples
    --------
    >>> posterior_field(sp.identity(2, format="csr"), np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    array([0.5, 0. ])
    """
    system = (precision + sp.diags(weight)).tocsr()
    inverse = 1.0 / system.diagonal()
    jacobi = sparse_linalg.LinearOperator(system.shape, matvec=lambda x: inverse * x)
    return sparse_linalg.cg(system, weight * residual, rtol=tolerance, maxiter=MAX_ITERATIONS, M=jacobi)[0]


def direct_posterior_field(precision: sp.csr_matrix, residual: Floats, weight: Floats) -> Floats:
    """Posterior mean (V,) as of `posterior_field`, by a sparse factorisation, for long correlation lengths."""
    return _factorize(precision + sp.diags(weight)).solve(weight * residual)


def robust_posterior_field(
    precision: sp.csr_matrix,
    residual: Floats,
    weight: Floats,
    *,
    trend_weight: Floats,
    trend_basis: sp.csr_matrix,
    robust_mm: float,
) -> Floats:
    """Posterior mean (V,) with outliers weighted down by their distance from a stiffer trend (Geman and McClure).

    Parameters
    ----------
    precision : (V, V) sparse
    residual : (V,) float, observed values of the field, mm
    weight, trend_weight : (V,) float, 1 / variance of each residual for the field and for the trend
    trend_basis : (V, C) sparse, the trend is a combination of its columns, so that its system is small
    robust_mm : float, deviation from the trend at which a residual keeps a quarter of its weight
    """
    system = trend_basis.T @ (precision + sp.diags(trend_weight)) @ trend_basis
    trend = trend_basis @ _factorize(system).solve(trend_basis.T @ (trend_weight * residual))
    weight = weight / (1 + ((residual - trend) / robust_mm) ** 2) ** 2
    return direct_posterior_field(precision, residual, weight)


def _factorize(system: sp.csr_matrix) -> sparse_linalg.SuperLU:
    return sparse_linalg.splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
