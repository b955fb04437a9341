"""The withdrawal axis, along which a part is taken off: how large its undercuts are, and where they are smallest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh, boundary_loops, face_areas, face_normals
from facecom.prosthesis.solid.booleans import is_simple_polygon

Axis = Literal["auto", "front"] | Sequence[float]

SEARCH_FACETS = 1500
"""About so many facets are examined for each candidate axis, which bounds the time of the search."""
SEAT_WEIGHT = 3.0
"""Undercut tissue counts so many times as much as an undercut outer face: it cannot yield, a mould can be cut."""
LEAN_MM2 = 20.0
"""Cost of leaning, mm2 of undercut per squared radian: of equal axes the straightest is taken."""
FOLDED_BORDER_MM2 = 300.0
"""Cost of an axis along which the border intersects itself in projection and must be trimmed, at a loss of margin."""
MAX_LEAN_DEG = 75.0
"""An axis farther from the opening's outward normal than this leads into the face."""
OFF_SURFACE_MM = 1e-2
"""Rays start this far off the surface, so that they do not hit the facet they start from."""


@dataclass(frozen=True)
class Undercuts:
    """Areas that are undercut along an axis, mm2.

    Parameters
    ----------
    seat_mm2 : of the tissue that the part lies on, skin and wound bed: a stiff part cannot leave it
    outer_mm2 : of the part's outer face: a stiff mould cannot leave it
    worst_deg : how far the steepest face of the tissue leans over, 0 where none does
    """

    seat_mm2: float
    outer_mm2: float
    worst_deg: float


def axis_frame(axis: Floats) -> Floats:
    """Rotation (3, 3) that takes an axis to z and keeps x as level as can be.

    Examples
    --------
    >>> (axis_frame(np.array([0.0, 0.0, 2.0])) == np.eye(3)).all()
    np.True_
    """
    up = np.asarray(axis, float) / np.linalg.norm(axis)
    side = np.cross([0.0, 1.0, 0.0], up)
    if np.linalg.norm(side) < 1e-3:
        side = np.cross([0.0, 0.0, -1.0], up)
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(up, side), up])


class Facets:
    """Faces of a mesh, or every so many of them, that can be asked whether they are undercut.

    Parameters
    ----------
    mesh : Mesh, mm
    most : at most about so many faces are examined, and their areas count for the others
    """

    def __init__(self, mesh: Mesh, *, most: int | None = None) -> None:
        step = 1 if most is None else max(1, len(mesh.faces) // most)
        self._surface = Surface(mesh)
        self._normals = face_normals(mesh)[::step]
        self._centres = mesh.vertices[mesh.faces[::step]].mean(1) + OFF_SURFACE_MM * self._normals
        self._areas = face_areas(mesh)[::step] * step

    def undercut_mm2(self, axis: Floats) -> float:
        """Area that faces away from the axis or has something of the mesh above it."""
        blocked = np.isfinite(self._surface.cast(self._centres, np.broadcast_to(axis, self._centres.shape)).depth)
        return float(self._areas[blocked | (self._normals @ axis < 0.0)].sum())

    def worst_deg(self, axis: Floats) -> float:
        """How far the steepest face leans over, 0 where none does."""
        return float(np.degrees(np.arcsin(np.clip(-(self._normals @ axis), 0.0, 1.0))).max(initial=0.0))


def undercuts(outer: Mesh, seat: Mesh | None, axis: Floats) -> Undercuts:
    """Measure the undercuts of a part that is withdrawn along an axis.

    Parameters
    ----------
    outer : Mesh, the part's outer face
    seat : Mesh or None, the tissue it lies on
    axis : (3,) float, unit
    """
    outer_mm2 = Facets(outer).undercut_mm2(axis)
    if seat is None or not len(seat.faces):
        return Undercuts(0.0, outer_mm2, 0.0)
    tissue = Facets(seat)
    return Undercuts(tissue.undercut_mm2(axis), outer_mm2, tissue.worst_deg(axis))


def choose_axis(
    outer: Mesh, seat: Mesh | None, outward: Floats, *, given: Axis, count: int = 60, cone_deg: float = 50.0
) -> Floats:
    """The withdrawal axis in the face frame, (3,) unit.

    Parameters
    ----------
    outer : Mesh, the part's outer face, a disc
    seat : Mesh or None, the tissue it lies on
    outward : (3,) float, outward normal of the opening, any length
    given : "auto" searches `count` directions within `cone_deg` of `outward` for the one with the smallest undercuts;
        "front" is out of the face; three numbers are taken as they are
    count, cone_deg : of the search

    Raises
    ------
    ValueError
        When the given axis leads into the face.
    """
    middle = outward / np.linalg.norm(outward)
    if isinstance(given, str):
        if given not in ("auto", "front"):
            raise ValueError(f"axis must be 'auto', 'front' or three numbers, got {given!r}")
        if given == "auto":
            return _least_undercut(outer, seat, _cone(middle, count, np.radians(cone_deg)))
        return _checked(middle, np.array([0.0, 0.0, 1.0]))
    wanted = np.asarray(given, float)
    if wanted.shape != (3,) or not np.isfinite(wanted).all() or not np.linalg.norm(wanted) > 0:
        raise ValueError(f"axis must be 'auto', 'front' or three numbers that are not all zero, got {given!r}")
    return _checked(middle, wanted / np.linalg.norm(wanted))


def _checked(middle: Floats, axis: Floats) -> Floats:
    lean = float(np.degrees(np.arccos(np.clip(axis @ middle, -1, 1))))
    if lean > MAX_LEAN_DEG:
        raise ValueError(
            f"the part cannot be taken off along {np.round(axis, 2).tolist()}: that is {lean:.0f} degrees from where "
            f"its opening looks, {np.round(middle, 2).tolist()}; choose an axis near that, or 'auto'"
        )
    return axis


def _cone(middle: Floats, count: int, angle: float) -> tuple[Floats, Floats]:
    """Directions evenly spread over a cone (Fibonacci), its middle first, (N, 3), and their angles from it, (N,)."""
    k = np.arange(count)
    cosine = 1.0 - k / max(count - 1, 1) * (1.0 - np.cos(angle))
    azimuth, sine = k * np.pi * (3.0 - np.sqrt(5.0)), np.sqrt(1.0 - cosine**2)
    local = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)
    return local @ axis_frame(middle), np.arccos(np.clip(cosine, -1, 1))


def _least_undercut(outer: Mesh, seat: Mesh | None, candidates: tuple[Floats, Floats]) -> Floats:
    """The candidate, of directions with their angles from the middle, that costs least."""
    facets = Facets(outer, most=SEARCH_FACETS)
    tissue = Facets(seat, most=SEARCH_FACETS) if seat is not None and len(seat.faces) else None
    border = outer.vertices[boundary_loops(outer.faces)[0]]
    best, axis = np.inf, candidates[0][0]
    for direction, lean in zip(*candidates, strict=True):
        folded = 0.0 if is_simple_polygon((border @ axis_frame(direction).T)[:, :2]) else FOLDED_BORDER_MM2
        seat_mm2 = tissue.undercut_mm2(direction) if tissue else 0.0
        cost = folded + SEAT_WEIGHT * seat_mm2 + facets.undercut_mm2(direction) + LEAN_MM2 * lean**2
        if cost < best:
            best, axis = cost, direction
    return np.asarray(axis)
