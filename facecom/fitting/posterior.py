"""Posterior of the fit: standard deviations, samples, and conditioning on points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.spatial import cKDTree

from facecom.fitting.normal_equations import cholesky_lower
from facecom.geometry.mesh import Bools, Floats

VARIANCE_FACTOR_RANGE = (0.4, 4.0)
"""Bounds of the residual of a fit over the calibrated one: neither a very clean nor a very noisy scan
decides the posterior alone."""
MOBILITY_REACH = 4.0
"""Distance, in units of the mobility's own, beyond which a vertex is free: 1 - exp(-16) is 1 to seven digits."""


@dataclass(frozen=True)
class PosteriorSettings:
    """How the posterior of the code becomes that of the surface; lengths in mm."""

    scale: float = 0.58
    """Factor on the standard deviation of what is not observed, from calibration on validation faces."""
    far_gain: float = 1.3
    """How much larger than that it is far from anything observed: a population of faces is narrower than people are,
    and what that leaves out of the face's width and of where its other side lies grows with the distance."""
    far_mm: float = 50.0
    """Distance over which that is gained; beyond `search_mm` it grows no further."""
    search_mm: float = 48.0
    """How far distances to what was observed are looked for."""
    residual_mm: float = 0.15
    """Residual of the fit for which that factor holds; what is not observed is less sure the more a fit leaves
    unexplained, as with the variance of unit weight in least squares."""
    discrepancy_mm: float = 0.35
    """Standard deviation, far from anything observed, of what the model's modes lack."""
    correlation_mm: float = 12.0
    """Distance over which that is still known from the nearest observed vertex."""
    mobility_mm: float = 7.0
    """Distance from the observed surface over which samples and dragged points gain their full mobility."""
    observed_mm: float = 0.1
    """Standard deviation where the scan shows the surface."""


def posterior_sigma(jacobian: Floats, vertices: Floats, normals: Floats, precision: Floats) -> Floats:
    """Standard deviation of each vertex along its normal, (V,), mm, from the fit's second derivative.

    Parameters
    ----------
    jacobian : (3 V, M); vertices, normals : (V, 3), face frame
    precision : (M + 6, M + 6) over code, rotation vector and translation, as a `Fit` has it
    """
    shape = np.einsum("vd,vdm->vm", normals, jacobian.reshape(len(vertices), 3, -1))
    rows = np.concatenate([shape, np.cross(vertices, normals), normals], axis=1)
    root = cholesky_lower(precision)
    half = linalg.solve_triangular(root, np.asfortranarray(rows.T), lower=True, overwrite_b=True)
    return np.sqrt(np.sum(half**2, axis=0))


def variance_factor(residual_mm: float, *, settings: PosteriorSettings) -> float:
    """Factor on posterior standard deviations for a fit that leaves `residual_mm`, root mean square."""
    return settings.scale * float(np.clip(residual_mm / settings.residual_mm, *VARIANCE_FACTOR_RANGE))


def calibrated_sigma(
    sigma_mm: Floats, vertices: Floats, observed: Bools, *, residual_mm: float, settings: PosteriorSettings
) -> Floats:
    """Standard deviation (V,) of the completed surface: that of the code and the discrepancy of the model."""
    away = distance_to_observed(vertices, observed, reach_mm=settings.search_mm)
    forgotten = 1.0 - np.exp(-2.0 * away / settings.correlation_mm)
    unobserved = np.hypot(sigma_mm, settings.discrepancy_mm) * np.sqrt(forgotten) * far_factor(away, settings=settings)
    return np.hypot(variance_factor(residual_mm, settings=settings) * unobserved, settings.observed_mm)


def far_factor(away: Floats, *, settings: PosteriorSettings) -> Floats:
    """Factor (V,) on standard deviations at a distance from the nearest observed vertex, mm: 1 there, more far away."""
    away = np.minimum(away, settings.search_mm)
    return 1.0 + settings.far_gain * (1.0 - np.exp(-((away / settings.far_mm) ** 2)))


def distance_to_observed(vertices: Floats, observed: Bools, *, reach_mm: float) -> Floats:
    """Straight distance (V,) of each vertex to the nearest observed one; infinite beyond the reach."""
    distance = np.zeros(len(vertices))
    if not observed.any():
        return np.full(len(vertices), np.inf)
    distance[~observed] = cKDTree(vertices[observed]).query(vertices[~observed], distance_upper_bound=reach_mm)[0]
    return distance


def mobility(vertices: Floats, observed: Bools, *, settings: PosteriorSettings) -> Floats:
    """How freely each vertex may move without leaving the scan, (V,): 0 where observed, 1 deep in a hole."""
    away = distance_to_observed(vertices, observed, reach_mm=MOBILITY_REACH * settings.mobility_mm)
    return 1.0 - np.exp(-((away / settings.mobility_mm) ** 2))


def condition_on_points(
    rows: Floats, precision: Floats, residuals: Floats, *, sigma_mm: Floats, factor: float
) -> Floats:
    """Most likely deviation of code and motion (M + 6,) where linear readings `rows @ deviation` are `residuals`.

    Parameters
    ----------
    rows : (n, M + 6); residuals, sigma_mm : (n,)
    precision : (M + 6, M + 6) of the posterior; factor : on its standard deviations
    """
    spread = factor**2 * _solved(precision, rows.T)
    return spread @ _solved(rows @ spread + np.diag(sigma_mm**2), residuals)


def _solved(matrix: Floats, right: Floats) -> Floats:
    return np.asarray(linalg.cho_solve((cholesky_lower(matrix), True), right))


def sample_posterior(precision: Floats, *, count: int, seed: int) -> Floats:
    """Deviations of code and motion (count, M + 6), drawn from the posterior."""
    root = cholesky_lower(precision)
    # a row a sample, so that the first ones do not hang on how many are drawn
    noise = np.random.default_rng(seed).normal(size=(count, len(precision)))
    return linalg.solve_triangular(root, noise.T, lower=True, trans="T").T


def motion_jacobian(vertices: Floats) -> Floats:
    """Derivative (V, 3, 6) of vertices by a small rotation vector about the origin and a translation."""
    x, y, z = vertices.T
    zero = np.zeros_like(x)
    rotation = np.stack([np.stack(r, 1) for r in ((zero, z, -y), (-z, zero, x), (y, -x, zero))], axis=1)
    return np.concatenate([rotation, np.broadcast_to(np.eye(3), (len(vertices), 3, 3))], axis=2)
