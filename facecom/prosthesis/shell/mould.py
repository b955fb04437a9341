"""A two-part mould around the part: the face half and the back half, which meet at the part's border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from facecom.errors import need
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals
from facecom.prosthesis.shell.shell import Shell
from facecom.prosthesis.solid.booleans import (
    extrude_to_floor,
    single_boundary_loop,
    to_mesh,
    to_solid,
    triangulate_polygon,
)

FRAME_STEP_MM = 4.0
"""Distance of the points along the mould's outline."""
KEY_RADII = (0.65, 0.5, 0.5, 0.5)
"""Radii of the four keys, in key widths; one is thicker, so that the halves fit in one way only."""
KEY_FOOT, KEY_TOP, KEY_HEIGHT, KEY_SUNK = 1.3, 0.7, 4.0, 2.0
"""Shape of a key, a cone, in its radii: radius at its foot and at its top, height, and how deep the foot lies under the
flange."""
CIRCLE_SEGMENTS = 48
"""Sides of the polygons that stand for circles."""
CHANNEL_INTO_PART_MM, CHANNEL_BELOW_MM = 0.3, 1.0
"""How far a channel reaches into the part and below the floor, so that nothing of the mould is left in it."""
FACING_DOWN = -0.5
"""A channel starts where the normal's z is less than this."""
THICK_SHARE, THICK_PERCENTILE = 0.6, 95
"""A channel starts where the part has this share of the thickness that it exceeds almost nowhere: not on the lip."""
VENT_APART_MM = 10.0
"""Least distance between the channels."""
OFF_SURFACE_MM = 0.02
"""Rays start this far off the surface, so that they do not hit the face they start from."""


@dataclass(frozen=True)
class MouldSettings:
    """Lengths of the mould, mm.

    Parameters
    ----------
    wall : least thickness over and under the part
    flange : least width of the flange around the part's border; it carries the keys
    key : width of a key
    play : clearance around a key
    sprue, vent : diameters of the channels through the back half
    vents : greatest number of vents
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

    Parameters
    ----------
    face, back : solids; `face` shapes the visible skin, `back` the intaglio
    sprue : (3,) float, mm
    vents : (N, 3) float, mm
    """

    face: Any
    back: Any
    sprue: Floats
    vents: Floats


def build_mould(shell: Shell, *, settings: MouldSettings) -> Mould:
    """Build the mould of a part; all in the axis frame, z is the withdrawal axis.

    The halves meet on a flange that starts at the part's border, so that no parting line runs over the visible skin.

    Parameters
    ----------
    shell : Shell
    settings : MouldSettings

    Raises
    ------
    ValueError
        When the border, projected along the axis, intersects itself.
    """
    part = to_mesh(shell.solid)
    loop = single_boundary_loop(shell.outer.mesh)
    frame = _frame(shell.outer.mesh.vertices[loop], settings.flange)
    lowest = min(part.vertices[:, 2].min(), frame[:, 2].min())
    highest = max(part.vertices[:, 2].max(), frame[:, 2].max())
    floor = float(lowest) - settings.wall
    under = to_solid(extrude_to_floor(_with_flange(shell.outer.mesh, frame), floor=floor))
    low, high = frame[:, :2].min(0), frame[:, :2].max(0)
    box = _box([*low, floor], [*high, highest + settings.wall])
    keys = _keys(frame, settings)
    # The part lies under its outer face, so that nothing of it is in this half.
    face = box - under - _key_solid(keys, grow=settings.play)
    sprue, vents = channel_points(part, shell.outer.mesh, settings)
    channels = [_channel(sprue, settings.sprue, floor)] + [_channel(v, settings.vent, floor) for v in vents]
    back = (under + _key_solid(keys, grow=0.0)) - shell.solid - _union(channels)
    return Mould(face, back, sprue, vents)


def _frame(border: Floats, flange: float) -> Floats:
    """Points of a rectangle around the border, counter-clockwise, in the plane fitted to the border, (N, 3)."""
    low, high = border[:, :2].min(0) - flange, border[:, :2].max(0) + flange
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    sides = []
    for k in range(4):
        a, b = corners[k], corners[(k + 1) % 4]
        steps = np.linspace(0, 1, int(np.ceil(np.linalg.norm(b - a) / FRAME_STEP_MM)), endpoint=False)
        sides.append(a + steps[:, None] * (b - a))
    outline = np.concatenate(sides)
    return np.column_stack([outline, np.column_stack([outline, np.ones(len(outline))]) @ _fitted_plane(border)])


def _fitted_plane(points: Floats) -> Floats:
    """Coefficients (a, b, c) of the plane z = a x + b y + c nearest to points, (N, 3), by least squares."""
    terms = np.column_stack([points[:, :2], np.ones(len(points))])
    return np.asarray(np.linalg.lstsq(terms, points[:, 2], rcond=None)[0])


def _with_flange(outer: Mesh, frame: Floats) -> Mesh:
    """The outer face and the ruled surface from its border to the frame."""
    loop = single_boundary_loop(outer)
    inner = loop[::-1]
    count = len(outer.vertices)
    ids = np.concatenate([count + np.arange(len(frame)), inner])
    triangles = triangulate_polygon([frame[:, :2], outer.vertices[inner][:, :2]])
    return Mesh(np.concatenate([outer.vertices, frame]), np.concatenate([outer.faces, ids[triangles]]))


def _box(low: Any, high: Any) -> Any:
    size = np.asarray(high, float) - np.asarray(low, float)
    return need("manifold3d", extra="prosthesis").Manifold.cube(size.tolist()).translate([float(x) for x in low])


def _keys(frame: Floats, settings: MouldSettings) -> list[tuple[Floats, float]]:
    """Foot and radius of a key in each corner."""
    low, high = frame.min(0), frame.max(0)
    inset = 0.5 * settings.flange
    plane = _fitted_plane(frame)
    corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    out = []
    for radius, (x, y) in zip(KEY_RADII, corners, strict=True):
        foot = np.array([x + inset * (1 if x == low[0] else -1), y + inset * (1 if y == low[1] else -1)])
        out.append((np.append(foot, plane @ [*foot, 1.0]), settings.key * radius))
    return out


def _key_solid(keys: list[tuple[Floats, float]], *, grow: float) -> Any:
    """The keys, cones with their feet below the flange, grown by a length."""
    m3 = need("manifold3d", extra="prosthesis")
    cones = []
    for foot, radius in keys:
        height = KEY_HEIGHT * radius + 2.0 * grow
        cone = m3.Manifold.cylinder(height, KEY_FOOT * radius + grow, KEY_TOP * radius + grow, CIRCLE_SEGMENTS)
        cones.append(cone.translate([float(foot[0]), float(foot[1]), float(foot[2] - KEY_SUNK * radius)]))
    return _union(cones)


def _channel(point: Floats, diameter: float, floor: float) -> Any:
    """A channel from a point of the intaglio straight down through the floor."""
    m3 = need("manifold3d", extra="prosthesis")
    foot, radius = floor - CHANNEL_BELOW_MM, 0.5 * diameter
    height = float(point[2]) + CHANNEL_INTO_PART_MM - foot
    rod = m3.Manifold.cylinder(height, radius, radius, CIRCLE_SEGMENTS)
    return rod.translate([float(point[0]), float(point[1]), foot])


def channel_points(part: Mesh, outer: Mesh, settings: MouldSettings) -> tuple[Floats, Floats]:
    """Where the sprue and the vents meet the intaglio.

    The sprue enters at the middle of the part. With the back half on top air gathers at the lowest places along the
    axis: there, apart from each other, are the vents. None lies on the thin lip.

    Parameters
    ----------
    part : Mesh, axis frame, mm
    outer : Mesh, its outer face
    settings : MouldSettings

    Returns
    -------
    sprue : (3,) float, mm
    vents : (N, 3) float, mm
    """
    candidates = _channel_candidates(part, outer)
    middle = outer.vertices[:, :2].mean(0)
    sprue = candidates[np.argmin(np.linalg.norm(candidates[:, :2] - middle, axis=1))]
    chosen = [sprue]
    for point in candidates[np.argsort(candidates[:, 2], kind="stable")]:
        if len(chosen) > settings.vents:
            break
        if min(float(np.linalg.norm(point[:2] - c[:2])) for c in chosen) > VENT_APART_MM:
            chosen.append(point)
    return sprue, np.array(chosen[1:]).reshape(-1, 3)


def _channel_candidates(part: Mesh, outer: Mesh) -> Floats:
    """Vertices of the intaglio at which a channel can start, (N, 3)."""
    normals = vertex_normals(part.vertices, part.faces)
    thick = Surface(outer).closest(part.vertices).distance
    clear = _clear_below(part)
    fit = clear & (normals[:, 2] < FACING_DOWN) & (thick > THICK_SHARE * np.percentile(thick, THICK_PERCENTILE))
    if not fit.any():
        fit = clear & (normals[:, 2] < 0)
    return part.vertices[fit]


def _clear_below(part: Mesh) -> Bools:
    """Vertices with nothing of the part below them, (V,)."""
    down = np.broadcast_to([0.0, 0.0, -1.0], part.vertices.shape)
    return ~np.isfinite(Surface(part).cast(part.vertices - [0.0, 0.0, OFF_SURFACE_MM], down).depth)


def _union(solids: list[Any]) -> Any:
    m3 = need("manifold3d", extra="prosthesis")
    return m3.Manifold.batch_boolean(solids, m3.OpType.Add)
