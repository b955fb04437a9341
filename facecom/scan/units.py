"""The unit of a scan, from the size of what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from facecom.errors import ScanError
from facecom.geometry.mesh import Floats, Mesh, face_areas
from facecom.io.parsed_mesh import LARGEST

Unit = Literal["mm", "cm", "m"]
UnitChoice = Literal["mm", "cm", "m", "auto"]
MM_PER_UNIT: dict[Unit, float] = {"mm": 1.0, "cm": 10.0, "m": 1000.0}

_USUAL_MM = (90.0, 480.0)  # a mask from cheek to cheek .. head and shoulders
_POSSIBLE_MM = (50.0, 900.0)  # a piece of a face .. a bust; a tenth or ten times of a usual size lies outside
_GIVEN_MM = (30.0, 1200.0)  # beyond these a given unit is taken for a slip
_TYPICAL_MM = 200.0


@dataclass(frozen=True)
class UnitCandidate:
    """One reading of a scan's numbers: the unit, its length in mm, and the size of the scan in mm if it is so."""

    unit: Unit
    scale_to_mm: float
    size_mm: float


@dataclass(frozen=True)
class UnitGuess:
    """The unit of a scan and how sure that is.

    unit, scale_to_mm, size_mm : the unit, its length in mm, and the scan's size in mm
    clear : whether the size is that of a face or a head, or of a bust or a room's corner that no other unit explains
    candidates : every unit that would do, the likeliest first; `unit` is the first, or none would do where it is empty
    given : whether the caller said so
    """

    unit: Unit
    scale_to_mm: float
    size_mm: float
    clear: bool
    candidates: tuple[UnitCandidate, ...]
    given: bool = False


def scan_size(scan: Mesh) -> float:
    """Longest extent of a scan along its principal axes without the outer 2 % of its area at each end, in its own unit.

    Point clouds count by points. Far flakes, noise and loose vertices hardly matter.

    Raises
    ------
    ScanError
        When the scan has no finite extent.
    """
    points, weights = _samples(scan)
    sound = (np.abs(points) < LARGEST).all(axis=1) & (weights > 0) & (weights < np.inf)
    points, weights = points[sound], weights[sound]
    if not len(points):
        raise ScanError("the scan has no area and no extent; scan again")
    points = points - np.median(points, axis=0)
    length = np.linalg.norm(points, axis=1)
    near = length <= 4.0 * np.median(length)  # the axes are those of the main part
    spread = np.einsum("n,ni,nj->ij", weights[near] / weights.max(), points[near], points[near])
    extent = max(_weighted_range(points @ axis, weights) for axis in np.linalg.eigh(spread)[1].T)
    if not extent > 0:
        raise ScanError("all points of the scan are at one place; scan again")
    return extent


def _samples(scan: Mesh) -> tuple[Floats, Floats]:
    with np.errstate(invalid="ignore", over="ignore"):
        if not len(scan.faces):
            return scan.vertices, np.ones(len(scan.vertices))
        return scan.vertices[scan.faces].mean(axis=1), face_areas(scan)


def _weighted_range(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    low, high = np.searchsorted(share, np.array([0.02, 0.98]) * share[-1])
    return float(values[order[min(high, len(order) - 1)]] - values[order[low]])


def guess_unit(scan: Mesh) -> UnitGuess:
    """Guess the unit of a scan of a face or a head from its size.

    A face scan is anything from a mask of some 110 mm from cheek to cheek to head and shoulders of 450 mm, so the size
    mostly fits one unit alone; where it fits two, or none well, `clear` is False.

    Raises
    ------
    ScanError
        When the scan has no finite extent.

    Examples
    --------
    >>> cube = Mesh(np.random.default_rng(0).random((500, 3)) * 0.2, [])
    >>> guess_unit(cube).unit
    'm'
    """
    size = scan_size(scan)
    every = sorted(
        (UnitCandidate(unit, scale, size * scale) for unit, scale in MM_PER_UNIT.items()),
        key=lambda c: abs(np.log(c.size_mm / _TYPICAL_MM)),
    )
    possible = tuple(c for c in every if _POSSIBLE_MM[0] <= c.size_mm <= _POSSIBLE_MM[1])
    best = every[0]
    clear = _USUAL_MM[0] <= best.size_mm <= _USUAL_MM[1] or [c.unit for c in possible] == [best.unit]
    return UnitGuess(best.unit, best.scale_to_mm, best.size_mm, clear, possible)


def resolve_unit(scan: Mesh, unit: UnitChoice = "auto") -> UnitGuess:
    """The unit that the caller gives, held against the scan's size, or for "auto" the clear guess.

    Raises
    ------
    ValueError
        When `unit` is none of the four words.
    ScanError
        When a given unit makes the scan too small or too large for a face, or the guess is not clear.
    """
    if unit not in get_args(UnitChoice):
        raise ValueError(f"unit must be one of {', '.join(get_args(UnitChoice))}, got {unit!r}")
    guess = guess_unit(scan)
    if unit == "auto":
        if not guess.clear:
            raise ScanError(unclear_unit(guess))
        return guess
    scale = MM_PER_UNIT[unit]
    size = guess.size_mm / guess.scale_to_mm * scale
    if not _GIVEN_MM[0] <= size <= _GIVEN_MM[1]:
        raise ScanError(
            f"the scan is {_mm(size)} in size when read in {unit}, but a face or head is "
            f"{_mm(_GIVEN_MM[0])} to {_mm(_GIVEN_MM[1])}; {_advice(guess)}"
        )
    return UnitGuess(unit, scale, size, guess.unit == unit and guess.clear, guess.candidates, given=True)


def unclear_unit(guess: UnitGuess) -> str:
    """The sentence to say when the size alone does not tell the unit."""
    return f"the unit of the scan is not clear from its size; {_advice(guess)}"


def _advice(guess: UnitGuess) -> str:
    readings = " or ".join(f"--unit {c.unit} if it is {_mm(c.size_mm)} in size" for c in guess.candidates)
    if readings:
        return f"give {readings}"
    return f"no unit of mm, cm and m makes it a face (in {guess.unit} it is {_mm(guess.size_mm)}), so scale it first"


def _mm(size: float) -> str:
    return f"{size:,.0f} mm" if size >= 10 else f"{size:.3g} mm"
