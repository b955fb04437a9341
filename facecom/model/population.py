"""A population of faces as a Gaussian: modes of real variation, widened so that parts of the face vary on their own.

Source modes phi_k (identity modes of a light-stage model, and so on) have one coefficient for the whole face. Here the
coefficient is a field over the face: a global share and a local one with a correlation length of some millimetres, so
that the nose of one person meets the jaw of another. The covariance of the displacements is then
sum_k phi_k(x) phi_k(y)^T [(1 - s) + s rho(x, y)], and its leading eigenvectors are the model's basis. Everything is
split into left-right even and odd parts, which real faces use to a different degree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.spatial import distance

from facecom.geometry.mesh import Bools, Floats, Ints

MIRROR = np.array([-1.0, 1.0, 1.0])
"""Reflection in the plane x = 0."""
LEAST_EIGENVALUE_SHARE = 1e-9
"""Share of the largest eigenvalue below which an eigenvector is rounding."""
ROWS_AT_ONCE = 1500
"""Vertices to which eigenvectors are extended at a time, for memory."""


@dataclass(frozen=True, eq=False)
class PopulationSource:
    """Modes of one source on the template: (K, V, 3), mm for one standard deviation.

    local_share : part of the variance whose coefficient varies over the face
    odd_scale : factor on the left-right odd part, below one where a source is less symmetric than people are
    """

    modes: Floats
    local_share: float = 0.2
    odd_scale: float = 0.4


@dataclass(frozen=True)
class PopulationSettings:
    """How the sources are widened; lengths in mm."""

    local_mm: float = 20.0
    """Correlation length of a local coefficient (standard deviation of a Gaussian)."""
    even_share: float = 0.85
    """Part of the local variance that both sides of the face share."""
    size_sd: float = 0.035
    """Standard deviation of width, height and depth each, as a share, beyond what the sources hold."""


@dataclass(frozen=True, eq=False)
class ModeBasis:
    """modes : (M, V, 3), mm for one standard deviation, leading first; odd : (M,), which are left-right odd."""

    modes: Floats
    odd: Bools


def mirrored(modes: Floats, mirror: Ints) -> Floats:
    """Modes (..., V, 3) of the mirrored faces."""
    return modes[..., mirror, :] * MIRROR


def size_modes(mean: Floats, *, sd: float) -> Floats:
    """Modes (3, V, 3) that stretch the face in x, y and z about its middle by `sd`, a share."""
    middle = np.array([0.0, 0.5 * (mean[:, 1].min() + mean[:, 1].max()), mean[:, 2].mean()])
    return np.stack([np.outer((mean - middle)[:, k], np.eye(3)[k]) for k in range(3)]) * sd


def taper_modes(mean: Floats, *, about: Floats, sd: float, blend_mm: float = 12.0) -> Floats:
    """Modes (4, V, 3) that let width change with height and depth, and height and depth with width, by `sd`, a share.

    Width is the distance from the midline, smooth within `blend_mm` of it; the rest is measured from the point `about`
    (3,). On one half of a face each pair of these modes is a rotation of the head: a population that lacks them takes
    a face that is rounder or flatter than its own for a rotated one as soon as only half of it is observed.
    """
    x, y, z = (mean - about).T
    width, zero = np.hypot(x, blend_mm), np.zeros(len(mean))
    side = x / width
    moves = ((side * y, zero, zero), (side * z, zero, zero), (zero, width, zero), (zero, zero, width))
    return np.stack([np.stack(move, axis=1) for move in moves]) * sd


def widen(
    mean: Floats,
    mirror: Ints,
    sources: list[PopulationSource],
    *,
    rank: int,
    coarse: int,
    settings: PopulationSettings | None = None,
) -> ModeBasis:
    """Leading `rank` modes of the widened population.

    The covariance is diagonalised on the first `coarse` vertices and its eigenvectors are extended to all of them
    (Nystroem's formula).

    Parameters
    ----------
    mean : (V, 3), mm; mirror : (V,), the vertex on the other side
    sources : modes in template correspondence
    coarse : int, vertices of a nested coarser level
    """
    settings = settings or PopulationSettings()
    sources = [*sources, PopulationSource(size_modes(mean, sd=settings.size_sd), local_share=0.0)]
    found = [
        _leading_modes(mean, mirror, sources, odd=odd, rank=rank, coarse=coarse, settings=settings)
        for odd in (False, True)
    ]
    modes = np.concatenate(found)
    is_odd = np.repeat([False, True], [len(f) for f in found])
    order = np.argsort(-np.sum(modes**2, axis=(1, 2)), kind="stable")[:rank]
    return ModeBasis(modes[order], is_odd[order])


def discrepancy_fields(
    mean: Floats, mirror: Ints, *, rank: int, correlation_mm: float, sigma_mm: float, even_share: float
) -> tuple[Floats, Bools]:
    """Leading eigenfields (R, V), mm, of an exponential kernel that joins mirrored points, and their parity.

    A share `even_share` of the variance is common to both sides; the kernel is sigma^2 exp(-d / correlation).
    Dense: meant for some thousand vertices.
    """
    kernel = sigma_mm**2 * np.exp(-distance.cdist(mean, mean) / correlation_mm)
    fields, parity = [], []
    for odd, share in ((False, even_share), (True, 1.0 - even_share)):
        sign = -1.0 if odd else 1.0
        part = share * 0.5 * (kernel + sign * kernel[mirror])
        part = 0.5 * (part + part.T)
        last = len(part) - 1
        values, vectors = linalg.eigh(part, subset_by_index=(max(last - rank + 1, 0), last))
        fields.append((vectors * np.sqrt(np.maximum(values, 0.0))).T[::-1])
        parity.append(np.full(len(fields[-1]), odd))
    both, is_odd = np.concatenate(fields), np.concatenate(parity)
    order = np.argsort(-np.sum(both**2, axis=1), kind="stable")[:rank]
    return both[order], is_odd[order]


def _leading_modes(
    mean: Floats,
    mirror: Ints,
    sources: list[PopulationSource],
    *,
    odd: bool,
    rank: int,
    coarse: int,
    settings: PopulationSettings,
) -> Floats:
    """Leading even or odd modes (rank, V, 3); only one half of the face is computed."""
    one_side = np.flatnonzero(mirror >= np.arange(len(mirror)))
    half = one_side[one_side < coarse]
    # half the vertices keep the inner product of all when those off the midline count twice
    count = np.repeat(np.where(mirror[half] == half, 1.0, np.sqrt(2.0)), 3)
    covariance = _covariance(mean, mirror, sources, half, half, odd=odd, settings=settings)
    covariance = covariance * count[:, None] * count
    last = len(covariance) - 1
    values, vectors = linalg.eigh(covariance, subset_by_index=(max(last - rank + 1, 0), last))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > LEAST_EIGENVALUE_SHARE * values[0]
    weights = count[:, None] * vectors[:, kept] / np.sqrt(values[kept])
    modes = np.zeros((int(kept.sum()), len(mirror), 3))
    for rows in np.array_split(one_side, max(1, len(one_side) // ROWS_AT_ONCE)):
        block = _covariance(mean, mirror, sources, rows, half, odd=odd, settings=settings) @ weights
        found = block.T.reshape(-1, len(rows), 3)
        modes[:, mirror[rows]] = found * MIRROR * (-1.0 if odd else 1.0)
        modes[:, rows] = found
    return modes


def _covariance(
    mean: Floats,
    mirror: Ints,
    sources: list[PopulationSource],
    rows: Ints,
    columns: Ints,
    *,
    odd: bool,
    settings: PopulationSettings,
) -> Floats:
    """Covariance (3 n, 3 m) of the even or odd part of the displacements of vertices `rows` and `columns`.

    Even modes with even coefficient fields and odd modes with odd fields are even; crosswise they are odd.
    """
    near, far = (_gaussian(mean[rows], mean[other], settings.local_mm) for other in (columns, mirror[columns]))
    even_field, odd_field = 0.5 * (near + far), 0.5 * (near - far)
    total = np.zeros((3 * len(rows), 3 * len(columns)))
    for source in sources:
        reflected = mirrored(source.modes, mirror)
        even_part = 0.5 * (source.modes + reflected)
        odd_part = 0.5 * source.odd_scale * (source.modes - reflected)
        same, cross = (odd_part, even_part) if odd else (even_part, odd_part)
        s, share = source.local_share, settings.even_share
        # twice the share: the even and the odd half of a field each hold half of its variance
        total += _outer(same, rows, columns) * _spread(1.0 - s + 2 * s * share * even_field)
        if s * (1.0 - share) > 0:
            total += _outer(cross, rows, columns) * _spread(2 * s * (1.0 - share) * odd_field)
    return total


def _outer(modes: Floats, rows: Ints, columns: Ints) -> Floats:
    flat = modes.reshape(len(modes), -1, 3)
    return flat[:, rows].reshape(len(modes), -1).T @ flat[:, columns].reshape(len(modes), -1)


def _gaussian(a: Floats, b: Floats, length_mm: float) -> Floats:
    return np.exp(-0.5 * distance.cdist(a, b, "sqeuclidean") / length_mm**2)


def _spread(field: Floats) -> Floats:
    """Each entry for the three coordinates of both its vertices."""
    return np.repeat(np.repeat(field, 3, axis=0), 3, axis=1)
