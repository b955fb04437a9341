"""How sure the fit is: standard deviations and other faces that explain the scan as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.spatial import cKDTree

from facecom.fitting.normal_equations import cholesky_lower
from facecom.geometry.mesh import Bools, Floats


@dataclass(frozen=True)
class PosteriorSettings:
    """How the posterior of the code becomes that of the surface; lengths in mm."""

    scale: float = 0.58
    """Factor on the standard deviation of what is made up, from calibration on validation faces."""
    far_gain: float = 1.3
    """How much larger than that it is far from anything seen: a population of faces is narrower than people are, and
    what that leaves out of the face's width and of where its other side lies grows with the distance."""
    far_mm: float = 50.0
    """Distance over which that is gained; beyond `known_mm` it grows no further."""
    known_mm: float = 48.0
    """How far distances to what was seen are looked for."""
    residual_mm: float = 0.15
    """Residual of the fit for which that factor holds; what is made up is less sure the more a fit leaves unexplained,
    as with the variance of unit weight in least squares."""
    beside_mm: float = 0.35
    """Standard deviation, far from anything seen, of what the model's modes cannot show."""
    correlation_mm: float = 12.0
    """Distance over which that is still known from the nearest seen vertex."""
    carry_mm: float = 7.0
    """Distance from the seen surface over which samples and dragged points gain their full freedom."""
    measured_mm: float = 0.1
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
    return settings.scale * float(np.clip(residual_mm / settings.residual_mm, 0.4, 4.0))


def calibrated_sigma(
    sigma_mm: Floats, vertices: Floats, measured: Bools, *, residual_mm: float, settings: PosteriorSettings
) -> Floats:
    """Standard deviation (V,) of the completed surface: the code's share and what lies beside the model."""
    away = distance_to_observed(vertices, measured, reach_mm=settings.known_mm)
    forgotten = 1.0 - np.exp(-2.0 * away / settings.correlation_mm)
    made = np.hypot(sigma_mm, settings.beside_mm) * np.sqrt(forgotten) * far_factor(away, settings=settings)
    return np.hypot(variance_factor(residual_mm, settings=settings) * made, settings.measured_mm)


def far_factor(away: Floats, *, settings: PosteriorSettings) -> Floats:
    """Factor (V,) on standard deviations at a distance from the nearest seen vertex, mm: 1 there, more far away."""
    away = np.minimum(away, settings.known_mm)
    return 1.0 + settings.far_gain * (1.0 - np.exp(-((away / settings.far_mm) ** 2)))


def distance_to_observed(vertices: Floats, chosen: Bools, *, reach_mm: float) -> Floats:
    """Straight distance (V,) of each vertex to the nearest chosen one; infinite beyond the reach."""
    distance = np.zeros(len(vertices))
    if not chosen.any():
        return np.full(len(vertices), np.inf)
    distance[~chosen] = cKDTree(vertices[chosen]).query(vertices[~chosen], distance_upper_bound=reach_mm)[0]
    return distance


def mobility(vertices: Floats, measured: Bools, *, settings: PosteriorSettings) -> Floats:
    """How freely each vertex may move without leaving the scan, (V,): 0 where measured, 1 deep in a hole."""
    away = distance_to_observed(vertices, measured, reach_mm=4.0 * settings.carry_mm)
    return 1.0 - np.exp(-((away / settings.carry_mm) ** 2))


def condition_on_points(rows: Floats, precision: Floats, gaps: Floats, *, sigma_mm: Floats, factor: float) -> Floats:
    """Most likely deviation of code and motion (M + 6,) that brings linear readings `rows @ deviation` to `gaps`.

    Parameters
    ----------
    rows : (n, M + 6); gaps, sigma_mm : (n,)
    precision : (M + 6, M + 6) of the posterior; factor : on its standard deviations
    """
    spread = factor**2 * _solved(precision, rows.T)
    return spread @ _solved(rows @ spread + np.diag(sigma_mm**2), gaps)


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
    turn = np.stack([np.stack(r, 1) for r in ((zero, z, -y), (-z, zero, x), (y, -x, zero))], axis=1)
    return np.concatenate([turn, np.broadcast_to(np.eye(3), (len(vertices), 3, 3))], axis=2)
