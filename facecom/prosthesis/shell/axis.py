"""The direction in which a part is taken off: how much of it would catch, and the direction in which least does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh, boundary_loops, face_areas, face_normals
from facecom.prosthesis.solid.booleans import simple_loop

_LOOKED_AT = 1500
Axis = Literal["auto", "front"] | Sequence[float]


@dataclass(frozen=True)
class Undercuts:
    """Areas that catch along an axis, mm2.

    seat_mm2 : of the skin and the wound bed that the part lies on: a stiff part cannot leave them
    outer_mm2 : of the part's outer face: a stiff mould cannot leave it
    worst_deg : how far the steepest face of the seat leans over, 0 where none does
    """

    seat_mm2: float
    outer_mm2: float
    worst_deg: float


def axis_frame(axis: Floats) -> Floats:
    """Rotation (3, 3) that turns an axis to z, with x kept as level as can be."""
    up = np.asarray(axis, float) / np.linalg.norm(axis)
    side = np.cross([0.0, 1.0, 0.0], up)
    if np.linalg.norm(side) < 1e-3:
        side = np.cross([0.0, 0.0, -1.0], up)
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(up, side), up])


class Facets:
    """Faces of a mesh, or every so many of them, that can be asked whether they catch along an axis.

    Parameters
    ----------
    mesh : Mesh
    most : at most about so many faces are looked at, and their areas count for the others
    """

    def __init__(self, mesh: Mesh, *, most: int | None = None) -> None:
        step = 1 if most is None else max(1, len(mesh.faces) // most)
        self._surface = Surface(mesh)
        self._normals = face_normals(mesh)[::step]
        self._middles = mesh.vertices[mesh.faces[::step]].mean(1) + 1e-2 * self._normals
        self._areas = face_areas(mesh)[::step] * step

    def area(self, axis: Floats) -> float:
        """Area in mm2 that looks away from the axis or has something of the mesh above it."""
        blocked = np.isfinite(self._surface.cast(self._middles, np.broadcast_to(axis, self._middles.shape)).depth)
        return float(self._areas[blocked | (self._normals @ axis < 0.0)].sum())

    def lean_deg(self, axis: Floats) -> float:
        """How far the steepest face leans over, 0 where none does."""
        return float(np.degrees(np.arcsin(np.clip(-(self._normals @ axis), 0.0, 1.0))).max(initial=0.0))


def undercuts(outer: Mesh, seat: Mesh | None, axis: Floats) -> Undercuts:
    """Measure what catches when the part moves along the axis, (3,) unit.

    Parameters
    ----------
    outer : Mesh, the part's outer face
    seat : Mesh or None, the tissue it lies on
    """
    shown = Facets(outer).area(axis)
    if seat is None or not len(seat.faces):
        return Undercuts(0.0, shown, 0.0)
    tissue = Facets(seat)
    return Undercuts(tissue.area(axis), shown, tissue.lean_deg(axis))


def choose_axis(
    outer: Mesh, seat: Mesh | None, mean: Floats, *, given: Axis, count: int = 60, cone_deg: float = 50.0
) -> Floats:
    """The withdrawal axis in the face frame, (3,) unit.

    Parameters
    ----------
    outer : Mesh, the part's outer face, a disc
    seat : Mesh or None, the tissue it lies on
    mean : (3,) float, the direction that the opening looks, any length
    given : "auto" searches `count` directions within `cone_deg` of `mean` for that which catches least; "front" is
        out of the face; three numbers are taken as they are

    Raises
    ------
    ValueError
        When the given axis leads into the face.
    """
    middle = mean / np.linalg.norm(mean)
    if isinstance(given, str):
        if given not in ("auto", "front"):
            raise ValueError(f"axis must be 'auto', 'front' or three numbers, got {given!r}")
        if given == "auto":
            return _best(outer, seat, middle, count, np.radians(cone_deg))
        return _checked(middle, np.array([0.0, 0.0, 1.0]))
    wanted = np.asarray(given, float)
    if wanted.shape != (3,) or not np.isfinite(wanted).all() or not np.linalg.norm(wanted) > 0:
        raise ValueError(f"axis must be 'auto', 'front' or three numbers that are not all zero, got {given!r}")
    return _checked(middle, wanted / np.linalg.norm(wanted))


def _checked(middle: Floats, axis: Floats) -> Floats:
    turned = float(np.degrees(np.arccos(np.clip(axis @ middle, -1, 1))))
    if turned > 75.0:
        raise ValueError(
            f"the part cannot be taken off along {np.round(axis, 2).tolist()}: that is {turned:.0f} degrees from where "
            f"its opening looks, {np.round(middle, 2).tolist()}; choose an axis near that, or 'auto'"
        )
    return axis


def _best(
    outer: Mesh, seat: Mesh | None, middle: Floats, count: int, cone: float, *, folded_mm2: float = 300.0
) -> Floats:
    """Directions spread evenly over the cone (Fibonacci), the middle one first; a stiff seat weighs most."""
    k = np.arange(count)
    cosine = 1.0 - k / max(count - 1, 1) * (1.0 - np.cos(cone))
    turn, sine = k * np.pi * (3.0 - np.sqrt(5.0)), np.sqrt(1.0 - cosine**2)
    local = np.stack([sine * np.cos(turn), sine * np.sin(turn), cosine], axis=1)
    directions = local @ axis_frame(middle)
    shown = Facets(outer, most=_LOOKED_AT)
    tissue = Facets(seat, most=_LOOKED_AT) if seat is not None and len(seat.faces) else None
    rim = outer.vertices[boundary_loops(outer.faces)[0]]
    best, axis = np.inf, middle
    for direction, lean in zip(directions, np.arccos(np.clip(cosine, -1, 1)), strict=True):
        # Where the border is not seen whole it will be trimmed, at the cost of margin. A little for leaning, so that
        # of equal axes the straightest is taken.
        hidden = 0.0 if simple_loop((rim @ axis_frame(direction).T)[:, :2]) else folded_mm2
        cost = hidden + 3.0 * (tissue.area(direction) if tissue else 0.0) + shown.area(direction) + 20.0 * lean**2
        if cost < best:
            best, axis = cost, direction
    return np.asarray(axis)
