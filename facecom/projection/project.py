"""Bring the fitted face onto the scan where it was seen, and carry what is left over smoothly into the hole.

The offset along the normals is a Gaussian field on the face with a Matern covariance (smoothness one), written as a
sparse precision matrix (Lindgren, Rue and Lindstroem 2011, eq. 10): observed where a vertex has a partner on the scan,
it falls back to zero, the fitted face, within the correlation length inside a hole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import linalg as sparse_linalg
from scipy.spatial import cKDTree

from facecom.geometry.correspondence import Correspondences
from facecom.geometry.laplacian import cotangent_stiffness, smoothed_normals, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, unit, vertex_normals


@dataclass(frozen=True)
class ProjectSettings:
    """The smooth field of offsets; lengths in mm."""

    correlation_mm: float = 14.0
    """Distance at which the offset has lost most of its memory."""
    sigma_mm: float = 0.5
    """Standard deviation of the offset where nothing is seen."""
    coarse_noise_mm: float = 0.15
    """Standard deviation of what the coarse level cannot show."""
    fine_correlation_mm: float = 5.0
    """The same distance for what is left over after the coarse offset."""
    fine_sigma_mm: float = 0.3
    """Standard deviation of what is left over."""
    noise_mm: float = 0.08
    """Standard deviation of the scan's own noise."""
    trend_noise_mm: float = 2.0
    """Standard deviation of a single partner in the trend that tells what stands out."""
    robust_mm: float = 1.0
    """Offset, beyond that trend, at which a partner counts a quarter."""
    fine_robust_mm: float = 0.7
    """What is left over after the coarse offset, at which a partner counts a quarter."""
    reach_mm: float = 5.0
    """A partner farther away was not seen."""
    fine_reach_mm: float = 2.0
    """The same, once the coarse offset is known."""
    even_passes: int = 6
    """Rings over which the directions of the offsets are averaged."""
    carry_mm: float = 40.0
    """How deep into a hole the offset is solved anew."""
    carry_rim_mm: float = 8.0
    """How much of what surrounds the hole that looks at."""
    carry_correlation_mm: float = 25.0
    """Distance at which the offset has lost most of its memory there."""
    carry_sigma_mm: float = 1.0
    """Standard deviation of the offset there, where nothing is seen."""
    mirror_share: float = 0.8
    """Share of the other side's offset that is expected there, where the other side was seen."""
    mirror_noise_mm: float = 1.0
    """Standard deviation of a single vertex there as a witness for this side: a scan's noise stays where it is."""
    measured_mm: float = 0.6
    """A vertex this close to its partner in the end counts as measured."""


CorrespondenceFinder = Callable[[Floats, Floats, float], Correspondences]


@dataclass(frozen=True, eq=False)
class Projection:
    """vertices : (V, 3), mm; measured : (V,), whether the scan shows the vertex; offset : (V,), along even normals."""

    vertices: Floats
    measured: Bools
    offset: Floats


def matern_precision(vertices: Floats, faces: Ints, *, correlation_mm: float, sigma_mm: float) -> sp.csr_matrix:
    """Sparse precision (V, V) of a Gaussian field on a surface, smoothness one, that forgets over `correlation_mm`.

    Range and variance follow Lindgren et al. (2011), section 2: kappa = sqrt(8) / range,
    sigma squared = 1 / (4 pi kappa squared tau squared).
    """
    kappa = np.sqrt(8.0) / correlation_mm
    tau = 1.0 / (np.sqrt(4 * np.pi) * kappa * sigma_mm)
    area = vertex_areas(vertices, faces)
    operator = kappa**2 * sp.diags(area) + cotangent_stiffness(vertices, faces)
    return (tau**2 * (operator.T @ sp.diags(1.0 / np.maximum(area, 1e-9)) @ operator)).tocsr()


def posterior_field(precision: sp.csr_matrix, gap: Floats, weight: Floats, *, tolerance: float = 1e-2) -> Floats:
    """Posterior mean (V,) of the field, given gaps (V,) with weights 1/variance (V,), zero where nothing is known.

    By conjugate gradients, which settle soon where the field forgets over a few edges.
    """
    system = (precision + sp.diags(weight)).tocsr()
    inverse = 1.0 / system.diagonal()
    jacobi = sparse_linalg.LinearOperator(system.shape, matvec=lambda x: inverse * x)
    return sparse_linalg.cg(system, weight * gap, rtol=tolerance, maxiter=40, M=jacobi)[0]


def robust_posterior_field(
    precision: sp.csr_matrix,
    gap: Floats,
    weight: Floats,
    *,
    trend_weight: Floats,
    trend_basis: sp.csr_matrix,
    robust_mm: float,
) -> Floats:
    """The same where the field is long: solved directly for the trend, then with less belief in gaps that leave it.

    `weight`, `trend_weight` : (V,), 1/variance of each gap for the field and for the trend; `trend_basis` : (V, C), the
    trend is a mean of its columns, so that its system is small.
    """
    system = trend_basis.T @ (precision + sp.diags(trend_weight)) @ trend_basis
    trend = trend_basis @ _factorised(system).solve(trend_basis.T @ (trend_weight * gap))
    weight = weight / (1 + ((gap - trend) / robust_mm) ** 2) ** 2
    return _factorised(precision + sp.diags(weight)).solve(weight * gap)


def _factorised(system: sp.csr_matrix) -> sparse_linalg.SuperLU:
    return sparse_linalg.splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})


def distance_along_normals(vertices: Floats, normals: Floats, points: Floats, point_normals: Floats) -> Floats:
    """Distance (V,) along each normal to the tangent plane of its partner; the angle counts for 60 degrees at most."""
    cosine = np.maximum(np.einsum("vd,vd->v", normals, point_normals), 0.5)
    return np.einsum("vd,vd->v", points - vertices, point_normals) / cosine


def project(
    levels: tuple[tuple[Floats, Ints], tuple[Floats, Ints]],
    prolongations: tuple[sp.csr_matrix, sp.csr_matrix],
    find: CorrespondenceFinder,
    *,
    mirror: Ints | None = None,
    settings: ProjectSettings | None = None,
) -> Projection:
    """Move the fitted face onto the scan, coarse offsets first.

    Parameters
    ----------
    levels : vertices (V, 3), mm, and faces of the fitted face on two nested levels, coarse and fine
    prolongations : sparse, (V coarse, V still coarser) and (V fine, V coarse); each carries values a level down
    find : answers the partners of vertices with normals within a reach in mm
    mirror : (V,) int or None, the vertex of the fine level on the other side

    Returns
    -------
    Projected, on the fine level
    """
    settings = settings or ProjectSettings()
    (coarse, coarse_faces), (fine, fine_faces) = levels
    trend_basis, prolongation = prolongations
    coarse_normals = smoothed_normals(coarse, coarse_faces, passes=settings.even_passes)
    offset = _coarse_offset(coarse, coarse_faces, coarse_normals, trend_basis, find, settings)
    normals = unit(prolongation @ coarse_normals)
    total = prolongation @ offset
    short = matern_precision(
        fine, fine_faces, correlation_mm=settings.fine_correlation_mm, sigma_mm=settings.fine_sigma_mm
    )
    for reach in (settings.fine_reach_mm, 0.5 * settings.fine_reach_mm):
        vertices = fine + total[:, None] * normals
        found = find(vertices, vertex_normals(vertices, fine_faces), reach)
        gap = np.where(found.valid, distance_along_normals(vertices, normals, found.points, found.normals), 0.0)
        weight = found.valid / settings.noise_mm**2 / (1 + (gap / settings.fine_robust_mm) ** 2) ** 2
        total = total + posterior_field(short, gap, weight)
    vertices = fine + total[:, None] * normals
    found = find(vertices, vertex_normals(vertices, fine_faces), settings.measured_mm)
    total = extrapolated_offset(Mesh(vertices, fine_faces), total, found.valid, mirror=mirror, settings=settings)
    return Projection(fine + total[:, None] * normals, found.valid, total)


def extrapolated_offset(
    face: Mesh, offset: Floats, measured: Bools, *, mirror: Ints | None = None, settings: ProjectSettings
) -> Floats:
    """The offset (V,) solved anew, to the end, at unseen vertices within `carry_mm` of measured ones.

    Conjugate gradients stop before the rim's slope has reached the middle of a hole; a direct solve of the few
    vertices around it does not, and so carries the trend over the rim, not its value alone. What this person's face
    has and the model does not expect is much the same on both sides: where the other side was measured, a share of
    its offset is what the field falls back to.
    """
    lost = np.flatnonzero(~measured)
    if not len(lost) or len(lost) == len(measured):
        return offset
    reach = settings.carry_mm
    away = cKDTree(face.vertices[measured]).query(face.vertices[lost], distance_upper_bound=reach)[0]
    lost = lost[away < reach]
    if not len(lost):
        return offset
    reach = settings.carry_rim_mm
    near = cKDTree(face.vertices[lost]).query(face.vertices, distance_upper_bound=reach)[0] < reach
    inside: Bools = near[face.faces].all(axis=1)
    if not inside.any():
        return offset
    part, used = face.submesh(inside)
    # unseen vertices that are not solved for keep what they have, so that the field meets them
    given = ~np.isin(used, lost)
    precision = matern_precision(
        part.vertices, part.faces, correlation_mm=settings.carry_correlation_mm, sigma_mm=settings.carry_sigma_mm
    )

    def continued(values: Floats, known: Bools, noise_mm: float) -> Floats:
        weight = known / noise_mm**2
        return _factorised(precision + sp.diags(weight)).solve(weight * values)

    expected = np.zeros(len(used))
    if mirror is not None and settings.mirror_share > 0 and measured[mirror[used]].any():
        other = mirror[used]
        expected = settings.mirror_share * continued(offset[other], measured[other], settings.mirror_noise_mm)
    carried = expected + continued(offset[used] - expected, given, settings.noise_mm)
    out = offset.copy()
    out[used[~given]] = carried[~given]
    return out


def _coarse_offset(
    vertices: Floats,
    faces: Ints,
    directions: Floats,
    trend_basis: sp.csr_matrix,
    find: CorrespondenceFinder,
    settings: ProjectSettings,
) -> Floats:
    found = find(vertices, vertex_normals(vertices, faces), settings.reach_mm)
    gap = np.where(found.valid, distance_along_normals(vertices, directions, found.points, found.normals), 0.0)
    long = matern_precision(vertices, faces, correlation_mm=settings.correlation_mm, sigma_mm=settings.sigma_mm)
    return robust_posterior_field(
        long,
        gap,
        found.valid / settings.coarse_noise_mm**2,
        trend_weight=found.valid / settings.trend_noise_mm**2,
        trend_basis=trend_basis,
        robust_mm=settings.robust_mm,
    )
