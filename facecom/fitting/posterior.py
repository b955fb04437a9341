"""How sure the fit is: standard deviations and other faces that explain the scan as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats
from facecom.geometry.transform import Similarity, rotation_from_vector


@dataclass(frozen=True)
class PosteriorSettings:
    """What the code's own posterior does not hold; lengths in mm."""

    scale: float = 1.0
    """Factor on the posterior's standard deviation, from calibration on validation faces."""
    beside_mm: float = 0.35
    """Standard deviation, far from anything seen, of what the model's modes cannot show."""
    correlation_mm: float = 12.0
    """Distance over which that is still known from the nearest seen vertex."""
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
    root = linalg.cholesky(precision, lower=True)
    half = linalg.solve_triangular(root, rows.T, lower=True)
    return np.sqrt(np.sum(half**2, axis=0))


def calibrated_sigma(sigma_mm: Floats, vertices: Floats, measured: Bools, *, settings: PosteriorSettings) -> Floats:
    """Standard deviation (V,) of the completed surface: the code's share and what lies beside the model."""
    if not measured.any():
        return np.hypot(settings.scale * sigma_mm, settings.beside_mm)
    away = cKDTree(vertices[measured]).query(vertices)[0]
    forgotten = 1.0 - np.exp(-2.0 * away / settings.correlation_mm)
    made = np.sqrt((settings.scale * sigma_mm) ** 2 * forgotten + settings.beside_mm**2 * forgotten)
    return np.hypot(made, settings.measured_mm)


def draw(precision: Floats, *, count: int, seed: int) -> tuple[Floats, list[Similarity]]:
    """Deviations of the code (count, M) and small motions of the face, drawn from the posterior."""
    root = linalg.cholesky(precision, lower=True)
    noise = np.random.default_rng(seed).normal(size=(len(precision), count))
    steps = linalg.solve_triangular(root, noise, lower=True, trans="T").T
    motions = [Similarity(rotation_from_vector(s[-6:-3]), s[-3:]) for s in steps]
    return steps[:, :-6], motions
