"""How far a completed surface is from a true one, without a registration of its own.

The reference is always given as points of the true surface; nothing here moves either surface, since an error after
one more alignment is smaller than the one a user gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh, face_normals, unit
from facecom.geometry.transform import fit_similarity


@dataclass(frozen=True)
class ErrorSummary:
    """Figures of a set of values, in the unit of these; NaN where there are none.

    count : how many; mean; median; p95 : below it lie 95 % of them; max.
    """

    count: int
    mean: float
    median: float
    p95: float
    max: float

    @classmethod
    def of(cls, values: ArrayLike) -> ErrorSummary:
        """Summarise values of any shape.

        Examples
        --------
        >>> ErrorSummary.of([0.0, 1.0, 2.0]).mean
        1.0
        """
        flat = np.asarray(values, float).ravel()
        if not len(flat):
            return cls(0, *[float("nan")] * 4)
        middle, high = np.percentile(flat, [50, 95])
        return cls(len(flat), float(flat.mean()), float(middle), float(high), float(flat.max()))


def surface_distance(points: ArrayLike, completed: Mesh | Surface) -> Floats:
    """Distance of each of (N, 3) reference points to the completed surface, (N,), mm.

    Examples
    --------
    >>> flat = Mesh([[0, 0, 0], [9, 0, 0], [0, 9, 0]], [[0, 1, 2]])
    >>> surface_distance([[1, 1, 0.5]], flat).tolist()
    [0.5]
    """
    surface = completed if isinstance(completed, Surface) else Surface(completed)
    return surface.closest(points).distance


def surface_errors(points: ArrayLike, completed: Mesh | Surface) -> ErrorSummary:
    """Figures of `surface_distance`, mm.

    Examples
    --------
    >>> flat = Mesh([[0, 0, 0], [9, 0, 0], [0, 9, 0]], [[0, 1, 2]])
    >>> surface_errors([[1, 1, 0.5], [1, 1, 1.5]], flat).mean
    1.0
    """
    return ErrorSummary.of(surface_distance(points, completed))


def errors_by_region(
    values: ArrayLike, labels: ArrayLike, names: Mapping[int, str] | Sequence[str]
) -> dict[str, ErrorSummary]:
    """Figures of the values of each region.

    Parameters
    ----------
    values : (N,) float, such as distances
    labels : (N,) int, the region of each value; one that `names` does not name is left out
    names : the name of each label

    Returns
    -------
    dict of the names to their figures, in the order of `names`; a region without values has count 0

    Examples
    --------
    >>> errors_by_region([1.0, 3.0, 5.0], [0, 1, 1], ["nose", "cheek"])["cheek"].mean
    4.0
    """
    values, labels = np.asarray(values, float), np.asarray(labels)
    if values.shape != labels.shape:
        raise ValueError(f"expected a label for each value, got {labels.shape} labels and {values.shape} values")
    named = names.items() if isinstance(names, Mapping) else enumerate(names)
    return {name: ErrorSummary.of(values[labels == label]) for label, name in named}


def coverage(points: ArrayLike, completed: Mesh | Surface, *, within_mm: float = 2.0) -> float:
    """Share of the reference points that have completed surface within a distance.

    Examples
    --------
    >>> flat = Mesh([[0, 0, 0], [9, 0, 0], [0, 9, 0]], [[0, 1, 2]])
    >>> coverage([[1, 1, 0], [50, 0, 0]], flat)
    0.5
    """
    distance = surface_distance(points, completed)
    if not len(distance):
        raise ValueError("coverage needs at least one reference point")
    return float((distance <= within_mm).mean())


def normal_angle(points: ArrayLike, normals: ArrayLike, completed: Mesh | Surface) -> Floats:
    """Angle between each reference normal and the completed surface at its closest point.

    Parameters
    ----------
    points, normals : (N, 3) float, of the reference surface; normals of any length

    Returns
    -------
    (N,) float, radians in 0..pi; pi where the completed surface is inside out

    Examples
    --------
    >>> flat = Mesh([[0, 0, 0], [9, 0, 0], [0, 9, 0]], [[0, 1, 2]])
    >>> normal_angle([[1, 1, 0.5]], [[0, 0, 3.0]], flat).tolist()
    [0.0]
    """
    surface = completed if isinstance(completed, Surface) else Surface(completed)
    found = face_normals(surface.mesh)[surface.closest(points).faces]
    return angle_between(np.asarray(normals, float), found)


def angle_between(first: Floats, second: Floats) -> Floats:
    """Angle between rows of two (N, 3) arrays, radians; exact for small angles too (Kahan)."""
    a, b = unit(first), unit(second)
    return 2 * np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))


def asymmetry(vertices: ArrayLike, mirror: ArrayLike) -> Floats:
    """Distance of each vertex to its counterpart in the mirrored face after the best rigid alignment, (V,), mm.

    Parameters
    ----------
    vertices : (V, 3) float
    mirror : (V,) int, the vertex on the other side; itself on the midline

    Notes
    -----
    The mean is the asymmetry index of facial surgery, with the template's vertex pairs instead of closest points:
    Klingenberg et al., Shape analysis of symmetric structures (2002).

    Examples
    --------
    >>> asymmetry([[-1, 0, 0], [1, 0, 0], [0, 2, 1]], [1, 0, 2]).round(9).tolist()
    [0.0, 0.0, 0.0]
    """
    own = np.asarray(vertices, float)
    opposite = np.asarray(mirror)
    if opposite.shape != (len(own),) or not np.array_equal(opposite[opposite], np.arange(len(own))):
        raise ValueError("mirror must name each vertex's counterpart, and that one's counterpart is the vertex itself")
    other = own[opposite] * [-1.0, 1.0, 1.0]
    return np.linalg.norm(fit_similarity(other, own).apply(other) - own, axis=1)


@dataclass(frozen=True)
class CalibrationRow:
    """A row of a calibration table: the share a band should hold, the share it holds, and of how many values."""

    share: float
    found: float
    count: int


def calibration(errors: ArrayLike, sigma: ArrayLike, *, shares: Sequence[float] = (0.5, 0.9)) -> list[CalibrationRow]:
    """Compare signed errors with the Gaussian bands that their sigmas promise.

    Parameters
    ----------
    errors : (N,) float, mm, signed along one direction such as the normal
    sigma : (N,) float, mm, > 0
    shares : the central bands to look at, each in 0..1

    Examples
    --------
    >>> calibration([0.1, -0.1, 3.0, 0.5], [1.0, 1.0, 1.0, 1.0], shares=[0.5])[0].found
    0.75
    """
    signed, sigmas = np.asarray(errors, float), np.asarray(sigma, float)
    if signed.shape != sigmas.shape or not signed.size or not (sigmas > 0).all():
        raise ValueError(
            f"expected a positive sigma for each of at least one error, got {sigmas.shape} for {signed.shape}"
        )
    if not all(0 < share < 1 for share in shares):
        raise ValueError(f"each share must lie between 0 and 1, got {list(shares)}")
    scaled = np.abs(signed) / sigmas
    return [CalibrationRow(share, float((scaled <= ndtri(0.5 + share / 2)).mean()), scaled.size) for share in shares]
