"""The direction in which a part is taken off: how much of it would catch, and the direction in which least does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facecom.geometry.mesh import Bools, Floats, Mesh, boundary_loops, face_areas, face_normals
from facecom.geometry.nearest import Surface
from facecom.prosthesis.solids import simple_loop

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


def undercuts(outer: Mesh, seat: Mesh | None, axis: Floats, *, surface: Surface | None = None) -> Undercuts:
    """Measure what catches when the part moves along the axis, (3,) unit.

    Parameters
    ----------
    outer : Mesh, the part's outer face
    seat : Mesh or None, the tissue it lies on
    surface : `Surface(outer)`, to save time where many axes are tried
    """
    over = _catches(outer, axis, surface or Surface(outer))
    if seat is None or not len(seat.faces):
        return Undercuts(0.0, float(face_areas(outer)[over].sum()), 0.0)
    under = _catches(seat, axis, Surface(seat))
    lean = np.degrees(np.arcsin(np.clip(-(face_normals(seat) @ axis), 0.0, 1.0)))
    return Undercuts(
        float(face_areas(seat)[under].sum()), float(face_areas(outer)[over].sum()), float(lean.max(initial=0.0))
    )


def _catches(mesh: Mesh, axis: Floats, surface: Surface) -> Bools:
    """Faces that look away from the axis or have something of the mesh above them."""
    normals = face_normals(mesh)
    away = normals @ axis < 0.0
    middle = mesh.vertices[mesh.faces].mean(1) + 1e-2 * normals
    blocked = np.isfinite(surface.cast(middle, np.broadcast_to(axis, middle.shape)).depth)
    return np.asarray(away | blocked)


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
        When the given axis leads into the face, or none lets the border be seen whole.
    """
    middle = mean / np.linalg.norm(mean)
    if isinstance(given, str):
        if given not in ("auto", "front"):
            raise ValueError(f"axis must be 'auto', 'front' or three numbers, got {given!r}")
        if given == "auto":
            return _best(outer, seat, middle, count, np.radians(cone_deg))
        return _checked(outer, middle, np.array([0.0, 0.0, 1.0]))
    wanted = np.asarray(given, float)
    if wanted.shape != (3,) or not np.isfinite(wanted).all() or not np.linalg.norm(wanted) > 0:
        raise ValueError(f"axis must be 'auto', 'front' or three numbers that are not all zero, got {given!r}")
    return _checked(outer, middle, wanted / np.linalg.norm(wanted))


def _checked(outer: Mesh, middle: Floats, axis: Floats) -> Floats:
    turned = float(np.degrees(np.arccos(np.clip(axis @ middle, -1, 1))))
    if turned > 75.0:
        raise ValueError(
            f"the part cannot be taken off along {np.round(axis, 2).tolist()}: that is {turned:.0f} degrees from where "
            f"its opening looks, {np.round(middle, 2).tolist()}; choose an axis near that, or 'auto'"
        )
    if not _seen_whole(outer, axis):
        raise ValueError(
            f"seen along {np.round(axis, 2).tolist()} the part's border crosses itself; choose an axis near "
            f"{np.round(middle, 2).tolist()}, or 'auto'"
        )
    return axis


def _seen_whole(outer: Mesh, axis: Floats) -> bool:
    loop = boundary_loops(outer.faces)[0]
    return simple_loop((outer.vertices[loop] @ axis_frame(axis).T)[:, :2])


def _best(outer: Mesh, seat: Mesh | None, middle: Floats, count: int, cone: float) -> Floats:
    """Directions spread evenly over the cone (Fibonacci), the middle one first; a stiff seat weighs most."""
    k = np.arange(count)
    cosine = 1.0 - k / max(count - 1, 1) * (1.0 - np.cos(cone))
    turn, sine = k * np.pi * (3.0 - np.sqrt(5.0)), np.sqrt(1.0 - cosine**2)
    local = np.stack([sine * np.cos(turn), sine * np.sin(turn), cosine], axis=1)
    directions = local @ axis_frame(middle)
    surface = Surface(outer)
    best, axis = np.inf, None
    for direction, lean in zip(directions, np.arccos(np.clip(cosine, -1, 1)), strict=True):
        if not _seen_whole(outer, direction):
            continue
        found = undercuts(outer, seat, direction, surface=surface)
        # A little for leaning, so that of equal axes the straightest is taken.
        cost = 3.0 * found.seat_mm2 + found.outer_mm2 + 20.0 * lean**2
        if cost < best:
            best, axis = cost, direction
    if axis is None:
        raise ValueError("along no axis is the part's border seen whole; choose a smaller margin")
    return np.asarray(axis)
