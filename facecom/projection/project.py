"""Move the fitted face onto the scan where it was observed, and extrapolate the offset into the holes.

The offset runs along smoothed normals and is a Gaussian field on the face: the posterior mean given the residuals to
the scan. In a hole it falls back to its prior mean, the fitted face, within the correlation length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from facecom.geometry.correspondence import Correspondences
from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, unit, vertex_normals
from facecom.projection.extrapolation import extrapolated_offset
from facecom.projection.offset_field import matern_precision, posterior_field, robust_posterior_field
from facecom.projection.settings import ProjectSettings

MIN_COSINE = 0.5
"""Least cosine between a vertex normal and the scan's, 60 degrees: no offset grows to more than twice the distance."""

CorrespondenceFinder = Callable[[Floats, Floats, float], Correspondences]
"""Correspondences on the scan of vertices (V, 3), given their normals (V, 3) and the longest distance, mm."""


@dataclass(frozen=True, eq=False)
class Projection:
    """The fitted face moved onto the scan.

    Parameters
    ----------
    vertices : (V, 3) float, mm
    observed : (V,) bool, vertices that the scan shows
    offset : (V,) float, mm, from the fitted face along its smoothed normals
    """

    vertices: Floats
    observed: Bools
    offset: Floats


def distance_along_normals(vertices: Floats, normals: Floats, points: Floats, point_normals: Floats) -> Floats:
    """Signed distance (V,) along each normal to the tangent plane of its correspondence, mm.

    Parameters
    ----------
    vertices, normals : (V, 3) float
    points, point_normals : (V, 3) float, the correspondences

    Examples
    --------
    >>> up = np.array([[0.0, 0, 1]])
    >>> distance_along_normals(np.zeros((1, 3)), up, np.array([[5.0, 5, 7]]), up)
    array([7.])
    """
    cosine = np.maximum(np.einsum("vd,vd->v", normals, point_normals), MIN_COSINE)
    return np.einsum("vd,vd->v", points - vertices, point_normals) / cosine


def project(
    levels: tuple[tuple[Floats, Ints], tuple[Floats, Ints]],
    prolongations: tuple[sp.csr_matrix, sp.csr_matrix],
    find: CorrespondenceFinder,
    *,
    mirror: Ints | None = None,
    settings: ProjectSettings | None = None,
) -> Projection:
    """Move the fitted face onto the scan: coarse offset, fine offset, extrapolation into the holes.

    Parameters
    ----------
    levels : vertices (V, 3), mm, and faces of the fitted face on two nested levels, coarse and fine
    prolongations : sparse, (V coarse, V still coarser) and (V fine, V coarse)
        Each takes values from a level to the next finer one.
    find : CorrespondenceFinder
    mirror : (V,) int or None, the vertex of the fine level on the opposite side
    settings : ProjectSettings

    Returns
    -------
    Projection, on the fine level
    """
    settings = settings or ProjectSettings()
    (coarse, coarse_faces), (fine, faces) = levels
    trend_basis, prolongation = prolongations
    coarse_normals = smoothed_normals(coarse, coarse_faces, passes=settings.normal_smoothing_passes)
    coarse_offset = _coarse_offset(
        coarse, coarse_faces, coarse_normals, trend_basis=trend_basis, find=find, settings=settings
    )
    normals = unit(prolongation @ coarse_normals)
    offset = _fine_offset(fine, faces, normals, offset=prolongation @ coarse_offset, find=find, settings=settings)
    vertices = fine + offset[:, None] * normals
    found = find(vertices, vertex_normals(vertices, faces), settings.observed_mm)
    offset = extrapolated_offset(Mesh(vertices, faces), offset, found.valid, mirror=mirror, settings=settings)
    return Projection(fine + offset[:, None] * normals, found.valid, offset)


def _coarse_offset(
    vertices: Floats,
    faces: Ints,
    directions: Floats,
    *,
    trend_basis: sp.csr_matrix,
    find: CorrespondenceFinder,
    settings: ProjectSettings,
) -> Floats:
    found = find(vertices, vertex_normals(vertices, faces), settings.reach_mm)
    residual = np.where(found.valid, distance_along_normals(vertices, directions, found.points, found.normals), 0.0)
    precision = matern_precision(vertices, faces, correlation_mm=settings.correlation_mm, sigma_mm=settings.sigma_mm)
    return robust_posterior_field(
        precision,
        residual,
        found.valid / settings.coarse_noise_mm**2,
        trend_weight=found.valid / settings.trend_noise_mm**2,
        trend_basis=trend_basis,
        robust_mm=settings.robust_mm,
    )


def _fine_offset(
    fine: Floats,
    faces: Ints,
    normals: Floats,
    *,
    offset: Floats,
    find: CorrespondenceFinder,
    settings: ProjectSettings,
) -> Floats:
    """The offset with what the coarse level could not represent added, from ever nearer correspondences."""
    precision = matern_precision(
        fine, faces, correlation_mm=settings.fine_correlation_mm, sigma_mm=settings.fine_sigma_mm
    )
    for reach in (settings.fine_reach_mm, 0.5 * settings.fine_reach_mm):
        vertices = fine + offset[:, None] * normals
        found = find(vertices, vertex_normals(vertices, faces), reach)
        residual = np.where(found.valid, distance_along_normals(vertices, normals, found.points, found.normals), 0.0)
        weight = found.valid / settings.noise_mm**2 / (1 + (residual / settings.fine_robust_mm) ** 2) ** 2
        offset = offset + posterior_field(precision, residual, weight)
    return offset
