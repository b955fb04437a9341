"""The outer skin of a scan that is a solid: of two walls, or of a skin with hollows, what is seen from outside."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.face_adjacency import faces_at_edges
from facecom.geometry.mesh import (
    Bools,
    Floats,
    Ints,
    Mesh,
    face_areas,
    face_components,
    face_normals,
    unique_edges,
)
from facecom.geometry.minimum_cut import cheapest_labels
from facecom.geometry.sampling import sample_surface
from facecom.scan.cleaning import CleanReport

SAMPLES = 1000
"""So many points tell whether a scan has inner walls."""
START_MM = 2e-3
"""Rays start this far off the surface: more than float32 rounds away, less than any wall is thick."""
PARALLEL = 0.5
"""Least cosine between two walls of one sheet."""
DIRECTIONS = 24
"""Directions, on each side of the surface, that tell how much of the open a triangle sees."""
MOST_ASKED = 25_000
"""So many triangles are asked what they see, each for some of its neighbours in a larger scan."""
CAPACITY_PER_MM2 = 100.0
"""Integer units of flow for each mm², where the sum of all stays within `MOST_FLOW`."""
MOST_FLOW = 5e8
"""The solver counts in 32 bits."""
DOUBLE_SIDED_SHARE = 0.25
"""A scan is double-sided where this share of its triangles, or more, stand there already: half is all of them."""


@dataclass(frozen=True)
class OuterSurfaceSettings:
    """When a scan has inner walls, and where its outer skin ends.

    thickness_mm : two parallel walls so near to each other are those of one sheet
    least_thickness_mm : nearer ones are two passes of a scanner over one skin, which are no walls
    walled_share : a scan has two walls where this share of it has another one so near
    hidden_share : or where so much of it sees nothing of the open, on neither side; mouth bags, nostrils and eyeballs
        are less
    alone_gain : of a triangle without another wall, for all of the open that it sees, in mm² for each of its mm²
    least_exposure : what sees less than this share of the directions is a hollow behind the skin
    unseen_cost : of a triangle that sees nothing, in the unit of `cut_mm`
    cut_mm : area that a mm of cut through smooth surface must gain, in mm² of full exposure
    crease_cost : the same of a cut along a sharp edge, where a wall ends, as a share of that
    rim_reach : a strip that joins two walls lies within this many thicknesses of the inner one
    least_piece : of what is kept, pieces that were cut off and have less than this share of the area go as well
    """

    thickness_mm: float = 12.0
    least_thickness_mm: float = 0.6
    walled_share: float = 0.25
    hidden_share: float = 0.2
    alone_gain: float = 0.1
    least_exposure: float = 0.08
    unseen_cost: float = 0.5
    cut_mm: float = 6.0
    crease_cost: float = 0.3
    rim_reach: float = 1.3
    least_piece: float = 0.02


@dataclass(frozen=True, eq=False)
class Opposite:
    """The nearest parallel wall before or behind points of a surface.

    depth : (N,) mm, inf where there is none within reach; faces : (N,) int, -1 there
    """

    depth: Floats
    faces: Ints


def outer_surface(
    mesh: Mesh, report: CleanReport, *, mm_per_unit: float, settings: OuterSurfaceSettings | None = None
) -> tuple[Mesh, CleanReport]:
    """The outer skin alone of a scan with inner walls; any other scan as it is.

    Triangles and vertices that stay are the scan's own, in its order.

    Parameters
    ----------
    mesh : Mesh, cleaned, in its own unit
    report : CleanReport, of that cleaning
    mm_per_unit : float
    settings : OuterSurfaceSettings

    Returns
    -------
    Mesh and CleanReport : the same two objects where nothing was removed

    Examples
    --------
    >>> square = Mesh([[0, 0, 0], [90, 0, 0], [90, 90, 0], [0, 90, 0]], [[0, 1, 2], [0, 2, 3]])
    >>> outer_surface(square, CleanReport(4, 2, 4, 2), mm_per_unit=1.0)[0] is square
    True
    """
    settings = settings or OuterSurfaceSettings()
    surface = Surface(Mesh(mesh.vertices * mm_per_unit, mesh.faces))
    if not has_inner_walls(surface, settings):
        return mesh, report
    kept = outer_faces(surface, settings)
    if kept.all() or not kept.any():
        return mesh, report
    outer = mesh.submesh(kept)[0]
    counts = {"vertices_after": len(outer.vertices), "faces_after": len(outer.faces)}
    return outer, replace(report, inner_wall_faces=int((~kept).sum()), **counts)


def outer_surface_warnings(report: CleanReport) -> tuple[str, ...]:
    """What to say of a scan of whose walls or double triangles one was taken.

    Examples
    --------
    >>> outer_surface_warnings(CleanReport(4, 2, 4, 2))
    ()
    """
    said: tuple[str, ...] = ()
    if report.inner_wall_faces:
        said += (
            f"the scan is a solid, or has inner walls: its outer skin alone was taken, {report.faces_after:,} "
            f"triangles; {report.inner_wall_faces:,} of inner walls, hollows and rims were left out",
        )
    if report.duplicate_faces >= DOUBLE_SIDED_SHARE * report.faces_before:
        said += (f"the scan is double-sided: {report.duplicate_faces:,} triangles stand twice, and were taken once",)
    return said


def has_inner_walls(surface: Surface, settings: OuterSurfaceSettings) -> bool:
    """Whether much of a surface has a second wall close by, or lies hidden from the open."""
    mesh = surface.mesh
    points = sample_surface(mesh, SAMPLES, seed=0)
    normals = face_normals(mesh)[points.faces]
    depth = _opposite(surface, points.points, normals, settings.thickness_mm).depth
    walled = np.isfinite(depth) & (depth >= settings.least_thickness_mm)
    if walled.mean() >= settings.walled_share:
        return True
    return bool(np.mean(_exposure(surface, points.points, normals) == 0.0) >= settings.hidden_share)


def outer_faces(surface: Surface, settings: OuterSurfaceSettings) -> Bools:
    """Triangles (F,) of the outer skin.

    Of two walls the one that sees more of the open, of a hollow what one sees from outside. A minimum cut makes that
    one decision for each smooth part, which may end at sharp edges cheaply; then the strips that join the walls go.
    """
    mesh = surface.mesh
    centres, normals, areas = mesh.vertices[mesh.faces].mean(axis=1), face_normals(mesh), face_areas(mesh)
    opposite = _opposite(surface, centres, normals, settings.thickness_mm)
    gain = _gain(surface, centres, normals, opposite.faces, settings)
    outer = _smooth_labels(mesh, areas * gain, normals, settings)
    outer &= ~_rims(mesh, outer, opposite, settings)
    return outer & ~_cut_off(mesh.faces, outer, areas, settings.least_piece)


def _gain(surface: Surface, centres: Floats, normals: Floats, opposite: Ints, settings: OuterSurfaceSettings) -> Floats:
    """What it gains to take a triangle for outer skin, (F,), for each of its mm²; of a large scan some alone tell."""
    count = len(centres)
    stride = -(-count // MOST_ASKED)
    asked = np.arange(0, count, stride)
    other = opposite[asked]
    seen, gain = np.zeros(count), np.zeros(count)
    needed = np.union1d(asked, other[other >= 0])
    seen[needed] = _exposure(surface, centres[needed], normals[needed])
    unseen = np.clip(1.0 - seen[asked] / settings.least_exposure, 0.0, 1.0)
    by_sight = np.where(other >= 0, seen[asked] - seen[other], settings.alone_gain * seen[asked])
    gain[asked] = stride * (by_sight - settings.unseen_cost * unseen)
    return gain


def _opposite(surface: Surface, points: Floats, normals: Floats, reach_mm: float) -> Opposite:
    """The nearest parallel wall on either side of points (N, 3), whichever way the walls' triangles face."""
    face_normal = face_normals(surface.mesh)
    depth, faces = np.full(len(points), np.inf), np.full(len(points), -1)
    for side in (-1.0, 1.0):
        hits = surface.cast(points + side * START_MM * normals, side * normals)
        parallel = np.abs(np.einsum("nd,nd->n", face_normal[hits.faces], normals)) > PARALLEL
        nearer = (hits.depth < np.minimum(depth, reach_mm)) & parallel
        depth[nearer], faces[nearer] = hits.depth[nearer], hits.faces[nearer]
    return Opposite(depth, faces)


def _exposure(surface: Surface, points: Floats, normals: Floats) -> Floats:
    """Share of directions (N,) in which points see the open, on the side from which more are seen."""
    directions = _sphere_points(2 * DIRECTIONS)
    total = np.zeros((2, len(points)))
    for direction in directions:
        side = np.where(normals @ direction >= 0, 1.0, -1.0)
        free = surface.cast(points + START_MM * side[:, None] * normals, direction).faces < 0
        total[(side > 0).astype(int), np.arange(len(points))] += free
    return total.max(axis=0) / DIRECTIONS


def _sphere_points(count: int) -> Floats:
    """Directions (N, 3) spread evenly over the sphere: a Fibonacci spiral, each with its opposite."""
    k = np.arange(count // 2) + 0.5
    height, turn = 1.0 - k / (count // 2), np.pi * (1.0 + 5.0**0.5) * k
    radius = np.sqrt(1.0 - height**2)
    half = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)
    return np.concatenate([half, -half])


def _smooth_labels(mesh: Mesh, gain: Floats, normals: Floats, settings: OuterSurfaceSettings) -> Bools:
    """Labels (F,) with the largest gain less the cost of the cuts between neighbours."""
    edges, edge_of, used = unique_edges(mesh.faces)
    inner = used == 2
    first, second = (faces_at_edges(edge_of, inner) % len(mesh.faces)).T
    length = np.linalg.norm(mesh.vertices[edges[inner, 0]] - mesh.vertices[edges[inner, 1]], axis=1)
    flat = np.clip(np.einsum("nd,nd->n", normals[first], normals[second]), settings.crease_cost, 1.0)
    cost = settings.cut_mm * length * flat
    units = min(CAPACITY_PER_MM2, MOST_FLOW / max(np.abs(gain).sum(), cost.sum(), 1e-9))
    return cheapest_labels(
        np.stack([first, second], axis=1),
        units * cost,
        if_false=units * np.maximum(gain, 0.0),
        if_true=units * np.maximum(-gain, 0.0),
        most=MOST_FLOW,
    )


def _rims(mesh: Mesh, outer: Bools, opposite: Opposite, settings: OuterSurfaceSettings) -> Bools:
    """Triangles (F,) of the strips that close a sheet between its two walls."""
    rim = np.zeros(len(outer), bool)
    walled = opposite.faces >= 0
    inner_wall = ~outer & walled & outer[opposite.faces]
    reach = settings.rim_reach * np.median(opposite.depth[walled])
    chosen = np.flatnonzero(outer & ~(inner_wall[opposite.faces] & (opposite.depth < reach)))
    if not inner_wall.any() or not len(chosen):
        return rim
    inner = mesh.submesh(inner_wall)[0]
    found = Surface(inner).closest(mesh.vertices[mesh.faces[chosen]].mean(axis=1))
    normals = face_normals(mesh)
    across = np.abs(np.einsum("nd,nd->n", normals[chosen], face_normals(inner)[found.faces])) < np.sqrt(0.5)
    candidates = chosen[across & (found.distance < reach)]
    if not len(candidates):
        return rim
    label = face_components(mesh.faces[candidates])
    touching = np.isin(mesh.faces[candidates], mesh.faces[~outer]).any(axis=1)
    rim[candidates] = np.isin(label, label[touching])
    return rim


def _cut_off(faces: Ints, kept: Bools, areas: Floats, least_piece: float) -> Bools:
    """Triangles (F,) of small pieces that were joined to others before what is not kept went."""
    out = np.zeros(len(faces), bool)
    rows = np.flatnonzero(kept)
    if not len(rows):
        return out
    label = face_components(faces[rows])
    area = np.bincount(label, areas[rows])
    at_cut = np.isin(faces[rows], faces[~kept]).any(axis=1)
    small = (area < least_piece * area.sum()) & (np.bincount(label, at_cut) > 0)
    out[rows] = small[label]
    return out
