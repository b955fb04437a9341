"""A two-part mould around the part: the face side and the back, meeting at the part's rim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from facecom.errors import need
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals
from facecom.prosthesis.shell.shell import Shell
from facecom.prosthesis.solid.booleans import below, plane_triangles, single_border, to_mesh, to_solid


@dataclass(frozen=True)
class MouldSettings:
    """Lengths of the mould, mm.

    wall : least thickness over and under the part
    flange : least width of the flange around the part's rim; it carries the keys
    key : height and width of a key; `play` is the gap around it
    sprue, vent : diameters of the channels through the back
    vents : most vents
    """

    wall: float = 5.0
    flange: float = 14.0
    key: float = 5.0
    play: float = 0.15
    sprue: float = 4.0
    vent: float = 2.0
    vents: int = 4


@dataclass(frozen=True, eq=False)
class Mould:
    """Both halves as manifold3d solids in the axis frame, and where the channels start on the part.

    face, back : solids; `face` shapes the visible skin, `back` the inner face
    sprue : (3,) ; vents : (N, 3), mm
    """

    face: Any
    back: Any
    sprue: Floats
    vents: Floats


def build_mould(shell: Shell, *, settings: MouldSettings) -> Mould:
    """Build the mould of a part; all in the axis frame, z is the axis.

    The halves meet on a flange that starts at the part's rim, so that no line crosses the visible skin.

    Raises
    ------
    ValueError
        When the rim, seen along the axis, crosses itself.
    """
    part = to_mesh(shell.solid)
    loop = single_border(shell.outer.mesh)
    frame = _frame(shell.outer.mesh.vertices[loop], settings.flange)
    lowest = min(part.vertices[:, 2].min(), frame[:, 2].min())
    highest = max(part.vertices[:, 2].max(), frame[:, 2].max())
    floor = float(lowest) - settings.wall
    under = to_solid(below(_with_flange(shell.outer.mesh, frame), floor=floor))
    low, high = frame[:, :2].min(0), frame[:, :2].max(0)
    box = _box([*low, floor], [*high, highest + settings.wall])
    keys = _keys(frame, settings)
    # The part lies under its outer face, so that nothing of it is in this half.
    face = box - under - _stack(keys, grow=settings.play)
    sprue, vents = channel_points(part, shell.outer.mesh, settings)
    channels = [_rod(sprue, settings.sprue, floor)] + [_rod(v, settings.vent, floor) for v in vents]
    back = (under + _stack(keys, grow=0.0)) - shell.solid - _joined(channels)
    return Mould(face, back, sprue, vents)


def _frame(rim: Floats, flange: float) -> Floats:
    """Points of a rectangle around the rim, counter-clockwise, on the plane that lies best in the rim, (N, 3)."""
    low, high = rim[:, :2].min(0) - flange, rim[:, :2].max(0) + flange
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    sides = []
    for k in range(4):
        a, b = corners[k], corners[(k + 1) % 4]
        steps = np.linspace(0, 1, int(np.ceil(np.linalg.norm(b - a) / 4.0)), endpoint=False)
        sides.append(a + steps[:, None] * (b - a))
    plane = np.concatenate(sides)
    terms = np.column_stack([rim[:, :2], np.ones(len(rim))])
    slope = np.linalg.lstsq(terms, rim[:, 2], rcond=None)[0]
    return np.column_stack([plane, np.column_stack([plane, np.ones(len(plane))]) @ slope])


def _with_flange(outer: Mesh, frame: Floats) -> Mesh:
    """The outer face and the ruled surface from its rim to the frame."""
    loop = single_border(outer)
    inner = loop[::-1]
    count = len(outer.vertices)
    ids = np.concatenate([count + np.arange(len(frame)), inner])
    triangles = plane_triangles([frame[:, :2], outer.vertices[inner][:, :2]])
    return Mesh(np.concatenate([outer.vertices, frame]), np.concatenate([outer.faces, ids[triangles]]))


def _box(low: Any, high: Any) -> Any:
    size = np.asarray(high, float) - np.asarray(low, float)
    return need("manifold3d", extra="prosthesis").Manifold.cube(size.tolist()).translate([float(x) for x in low])


def _keys(frame: Floats, settings: MouldSettings) -> list[tuple[Floats, float]]:
    """Foot and radius of a key in each corner; one is thicker, so that the halves fit in one way only."""
    low, high = frame.min(0), frame.max(0)
    inset = 0.5 * settings.flange
    plane = np.linalg.lstsq(np.column_stack([frame[:, :2], np.ones(len(frame))]), frame[:, 2], rcond=None)[0]
    out = []
    for k, (x, y) in enumerate([(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]):
        foot = np.array([x + inset * (1 if x == low[0] else -1), y + inset * (1 if y == low[1] else -1)])
        out.append((np.append(foot, plane @ [*foot, 1.0]), settings.key * (0.65 if k == 0 else 0.5)))
    return out


def _stack(keys: list[tuple[Floats, float]], *, grow: float) -> Any:
    """Cones with a foot below the flange."""
    m3 = need("manifold3d", extra="prosthesis")
    cones = []
    for foot, radius in keys:
        height = 4.0 * radius + 2.0 * grow
        cone = m3.Manifold.cylinder(height, 1.3 * radius + grow, 0.7 * radius + grow, 48)
        cones.append(cone.translate([float(foot[0]), float(foot[1]), float(foot[2] - 2.0 * radius)]))
    return _joined(cones)


def _rod(point: Floats, diameter: float, floor: float) -> Any:
    """A channel from a point of the inner face straight down through the floor."""
    m3 = need("manifold3d", extra="prosthesis")
    rod = m3.Manifold.cylinder(float(point[2]) + 0.3 - (floor - 1.0), 0.5 * diameter, 0.5 * diameter, 48)
    return rod.translate([float(point[0]), float(point[1]), floor - 1.0])


def channel_points(part: Mesh, outer: Mesh, settings: MouldSettings) -> tuple[Floats, Floats]:
    """Where the sprue and the vents meet the inner face, (3,) and (N, 3).

    The sprue enters at the middle of the part. With the back on top the lowest places along the axis are where air
    gathers: there, apart from each other, are the vents. None lies on the thin lip.
    """
    normals = vertex_normals(part.vertices, part.faces)
    thick = Surface(outer).closest(part.vertices).distance
    open_below = _clear_below(part)
    fit = open_below & (normals[:, 2] < -0.5) & (thick > 0.6 * np.percentile(thick, 95))
    if not fit.any():
        fit = open_below & (normals[:, 2] < 0)
    candidates = part.vertices[fit]
    middle = outer.vertices[:, :2].mean(0)
    sprue = candidates[np.argmin(np.linalg.norm(candidates[:, :2] - middle, axis=1))]
    chosen = [sprue]
    for point in candidates[np.argsort(candidates[:, 2], kind="stable")]:
        if len(chosen) > settings.vents:
            break
        if min(float(np.linalg.norm(point[:2] - c[:2])) for c in chosen) > 10.0:
            chosen.append(point)
    return sprue, np.array(chosen[1:]).reshape(-1, 3)


def _clear_below(part: Mesh) -> Bools:
    """Vertices from which nothing of the part lies below."""
    down = np.broadcast_to([0.0, 0.0, -1.0], part.vertices.shape)
    return ~np.isfinite(Surface(part).cast(part.vertices - [0.0, 0.0, 0.02], down).depth)


def _joined(solids: list[Any]) -> Any:
    m3 = need("manifold3d", extra="prosthesis")
    return m3.Manifold.batch_boolean(solids, m3.OpType.Add)
