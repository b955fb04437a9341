"""The unit of a scan, from the size of what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from facecom.errors import ScanError
from facecom.geometry.mesh import Floats, Mesh, face_areas
from facecom.geometry.units import MM_PER_UNIT, Unit
from facecom.io.parsed_mesh import MAX_COORDINATE

UnitChoice = Literal["mm", "cm", "m", "inch", "free", "auto"]
UnitName = Literal["mm", "cm", "m", "inch", "free", "custom"]
"""What the numbers of a scan are: a unit, "free" where nobody knows it and the face tells its size, "custom" where the
caller said how long it is."""
METRIC: tuple[Unit, ...] = ("mm", "cm", "m")
"""Units that a size alone tells apart: an inch is 2.54 cm, and faces and busts differ by more."""

USUAL_SIZE_MM = (90.0, 480.0)
"""Sizes that are clear: a mask from cheek to cheek .. head and shoulders."""
POSSIBLE_SIZE_MM = (50.0, 900.0)
"""Sizes that can be: a piece of a face .. a bust; a tenth or ten times of a usual size lies outside."""
ACCEPTED_SIZE_MM = (30.0, 1900.0)
"""Sizes beyond which a unit that the caller gives is taken for a slip. The largest are scenes: a person on a chair
before a wall; ten times a head is more."""
TYPICAL_SIZE_MM = 200.0
"""Size of a scan of a head; of two units the one nearer to it is the likelier."""
KEPT_SHARES = (0.02, 0.98)
"""Shares of the area between which the extent along an axis is measured: flakes and noise lie beyond."""
MAIN_PART_RADIUS = 4.0
"""Points within this many median distances from the median point give the axes; far clutter would rotate them."""


@dataclass(frozen=True)
class UnitCandidate:
    """One reading of a scan's numbers: the unit, its length in mm, and the size of the scan in mm if it is so."""

    unit: Unit
    scale_to_mm: float
    size_mm: float


@dataclass(frozen=True)
class UnitGuess:
    """The unit of a scan and how sure that is.

    unit, scale_to_mm, size_mm : the unit, its length in mm, and the scan's size in mm; for "free" these two are a guess
        from which the size is sought
    clear : whether the size is that of a face or a head, or of a bust or a room's corner that no other unit explains
    candidates : every unit that would do, the likeliest first, inches last; none would do where it is empty
    given : whether the caller said so
    """

    unit: UnitName
    scale_to_mm: float
    size_mm: float
    clear: bool
    candidates: tuple[UnitCandidate, ...]
    given: bool = False

    @property
    def others(self) -> tuple[UnitCandidate, ...]:
        """What else the numbers may be, to be tried where no face is found: inches, for a guess by the size alone."""
        return () if self.given else tuple(c for c in self.candidates if c.unit == "inch" != self.unit)


def scan_size(scan: Mesh) -> float:
    """Longest extent of a scan along its principal axes without the outer 2 % of its area at each end, in its own unit.

    Point clouds count by points. Far flakes, noise and loose vertices hardly matter.

    Raises
    ------
    ScanError
        When the scan has no finite extent.
    """
    points, weights = _samples(scan)
    sound = (np.abs(points) < MAX_COORDINATE).all(axis=1) & (weights > 0) & (weights < np.inf)
    points, weights = points[sound], weights[sound]
    if not len(points):
        raise ScanError("the scan has no area and no extent; scan again")
    points = points - np.median(points, axis=0)
    length = np.linalg.norm(points, axis=1)
    near = length <= MAIN_PART_RADIUS * np.median(length)
    spread = np.einsum("n,ni,nj->ij", weights[near] / weights.max(), points[near], points[near])
    extent = max(_weighted_range(points @ axis, weights) for axis in np.linalg.eigh(spread)[1].T)
    if not extent > 0:
        raise ScanError("all points of the scan are at one place; scan again")
    return extent


def _samples(scan: Mesh) -> tuple[Floats, Floats]:
    """Centres of the faces and their areas, or the points of a cloud, each of weight one."""
    with np.errstate(invalid="ignore", over="ignore"):
        if not len(scan.faces):
            return scan.vertices, np.ones(len(scan.vertices))
        return scan.vertices[scan.faces].mean(axis=1), face_areas(scan)


def _weighted_range(values: Floats, weights: Floats) -> float:
    """Extent of the values between the shares of the weight that are kept."""
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    low, high = np.searchsorted(share, np.array(KEPT_SHARES) * share[-1])
    return float(values[order[min(high, len(order) - 1)]] - values[order[low]])


def guess_unit(scan: Mesh) -> UnitGuess:
    """Guess the unit of a scan of a face or a head from its size.

    A face scan is anything from a mask of some 110 mm from cheek to cheek to head and shoulders of 450 mm, so the size
    mostly fits one of mm, cm and m alone; where it fits two, or none well, `clear` is False. What is larger, up to a
    scene of 1.9 m, has the one unit that makes it no larger. Inches are guessed only where no other unit makes it a
    face; elsewhere they are a candidate, and the face decides.

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
    readings = sorted(
        (UnitCandidate(unit, MM_PER_UNIT[unit], size * MM_PER_UNIT[unit]) for unit in METRIC),
        key=lambda c: abs(np.log(c.size_mm / TYPICAL_SIZE_MM)),
    )
    possible = tuple(c for c in readings if _within(c.size_mm, POSSIBLE_SIZE_MM))
    inches = UnitCandidate("inch", MM_PER_UNIT["inch"], size * MM_PER_UNIT["inch"])
    scenes = tuple(c for c in readings if POSSIBLE_SIZE_MM[1] < c.size_mm <= ACCEPTED_SIZE_MM[1])
    best = readings[0]
    if not possible and _within(inches.size_mm, USUAL_SIZE_MM):
        best = inches
    elif not possible and scenes:
        best, possible = scenes[0], scenes
    clear = _within(best.size_mm, USUAL_SIZE_MM) or [c.unit for c in possible] == [best.unit]
    candidates = (*possible, inches) if _within(inches.size_mm, POSSIBLE_SIZE_MM) else possible
    return UnitGuess(best.unit, best.scale_to_mm, best.size_mm, clear, candidates)


def _within(size_mm: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= size_mm <= bounds[1]


def check_unit(unit: str, mm_per_unit: float | None = None) -> None:
    """Refuse what is no unit, before any work.

    Raises
    ------
    ValueError
        When `unit` is none of the words, when `mm_per_unit` is no length, or when both say what the unit is.

    Examples
    --------
    >>> check_unit("inch")
    >>> check_unit("mm", 25.4)
    Traceback (most recent call last):
    ValueError: give the unit or mm_per_unit, not both: got 'mm' and 25.4
    """
    if unit not in get_args(UnitChoice):
        raise ValueError(f"unit must be one of {', '.join(get_args(UnitChoice))}, got {unit!r}")
    if mm_per_unit is None:
        return
    if unit != "auto":
        raise ValueError(f"give the unit or mm_per_unit, not both: got {unit!r} and {mm_per_unit:g}")
    if not 0.0 < mm_per_unit < np.inf:
        raise ValueError(f"mm_per_unit must be a positive number, got {mm_per_unit:g}")


def resolve_unit(scan: Mesh, unit: UnitChoice = "auto", *, mm_per_unit: float | None = None) -> UnitGuess:
    """The unit that the caller gives, held against the scan's size, or for "auto" the clear guess.

    Parameters
    ----------
    scan : Mesh, in its own unit
    unit : for "free" the scan is read as one of a typical head, from which its size is sought
    mm_per_unit : length of the scan's unit, in place of a word for it

    Raises
    ------
    ValueError
        As `check_unit` does.
    ScanError
        When a given unit makes the scan too small or too large for a face, or the guess is not clear.

    Examples
    --------
    >>> cube = Mesh(np.random.default_rng(0).random((500, 3)) * 8.0, [])
    >>> resolve_unit(cube, "inch").scale_to_mm, resolve_unit(cube, mm_per_unit=25.0).unit
    (25.4, 'custom')
    """
    check_unit(unit, mm_per_unit)
    guess = guess_unit(scan)
    if mm_per_unit is not None:
        return _given(guess, "custom", mm_per_unit)
    if unit == "auto":
        if not guess.clear:
            raise ScanError(unclear_unit(guess))
        return guess
    if unit == "free":
        scale = TYPICAL_SIZE_MM / (guess.size_mm / guess.scale_to_mm)
        return UnitGuess("free", scale, TYPICAL_SIZE_MM, False, guess.candidates, given=True)
    return _given(guess, unit, MM_PER_UNIT[unit])


def _given(guess: UnitGuess, unit: UnitName, scale: float) -> UnitGuess:
    """The unit that the caller gives, where it makes the scan one of a size that a face or a head can have."""
    size = guess.size_mm / guess.scale_to_mm * scale
    if not _within(size, ACCEPTED_SIZE_MM):
        read = f"with {scale:g} mm per unit" if unit == "custom" else f"in {unit}"
        raise ScanError(
            f"the scan is {_mm(size)} in size when read {read}, but a face or head is "
            f"{_mm(ACCEPTED_SIZE_MM[0])} to {_mm(ACCEPTED_SIZE_MM[1])}; {_advice(guess)}"
        )
    return UnitGuess(unit, scale, size, guess.unit == unit and guess.clear, guess.candidates, given=True)


def unclear_unit(guess: UnitGuess) -> str:
    """The message for a scan whose size alone does not tell the unit."""
    return f"the unit of the scan is not clear from its size; {_advice(guess)}"


def _advice(guess: UnitGuess) -> str:
    options = " or ".join(f"--unit {c.unit} if it is {_mm(c.size_mm)} in size" for c in guess.candidates)
    if options:
        return f"give {options}, or --unit free if it has no scale"
    return (
        f"no unit of {', '.join(MM_PER_UNIT)} makes it a face (in {guess.unit} it is {_mm(guess.size_mm)}): cut away "
        "what is not the head, give --mm-per-unit, or give --unit free if it has no scale"
    )


def _mm(size: float) -> str:
    return f"{size:,.0f} mm" if size >= 10 else f"{size:.3g} mm"
