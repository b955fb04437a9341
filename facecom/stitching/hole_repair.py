"""Repair what the planar triangulation left: cap remaining holes one by one, remove self-intersections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from facecom.geometry.closest_points import Surface
from facecom.geometry.fairing import push_apart, remove_self_intersections_membrane
from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Floats, Ints, Mesh, boundary_edges, edge_loops, unique_edges
from facecom.stitching.boundary_loops import BoundaryLoops, barycentric_matrix
from facecom.stitching.caps import cap_loop
from facecom.stitching.patch_triangulation import Filling, duplicate_edges
from facecom.stitching.reconnection import reconnect_sheets
from facecom.stitching.rim_blending import blended_offsets
from facecom.stitching.rim_triangulation import split_edges

RECONNECTIONS = 3
"""Rounds of reconnecting sheets and fairing what was reconnected."""
MAX_STRIP_EDGE_MM = 2.0
"""Longest edge of a strip that reconnects two sheets: a longer one would be seen where the intersection is not."""
BORDER_WEIGHT = 0.99
"""Weight on the face's border vertices from which on a new vertex counts as lying on that border."""
MAX_CAP_DISTANCE_SHARE = 0.75
"""Median distance of a loop to the face, as a share of the falloff, beyond which its cap is not drawn to the face."""


def cap_remaining_holes(
    filling: Filling,
    *,
    face: Mesh,
    surface: Surface,
    loops: BoundaryLoops,
    uv_mm: Floats,
    fixed: Ints,
    falloff_mm: float,
    cap_perimeter_mm: float,
) -> tuple[Filling, int]:
    """Add a disc to every opening on the face that is still there.

    Parameters
    ----------
    filling : Filling
    face : Mesh, mm; surface : Surface of it; uv_mm : (V, 2) float, its uv in mm
    loops : BoundaryLoops
    fixed : (K, 2) int, edges of the scan between boundary vertices
    falloff_mm, cap_perimeter_mm : see StitchSettings

    Returns
    -------
    filling : Filling, with the discs
    capped : int, how many
    """
    capped, count = 0, len(loops.vertices)
    own = set(map(tuple, boundary_edges(filling.triangles).tolist()))
    for loop in open_loops(filling, loops):
        if len(loop) < 3 or loops.past_border[loop[loop < count]].any():
            continue
        steps = zip(loop.tolist(), np.roll(loop, -1).tolist(), strict=True)
        if any(step in own for step in steps):
            if _touches_border(filling, loop[loop >= count] - count, surface):
                continue
        elif not _is_hole(loop, loops, uv_mm=uv_mm, cap_perimeter_mm=cap_perimeter_mm):
            continue
        filling = _capped(filling, loop[::-1], loops, face=face, surface=surface, fixed=fixed, falloff_mm=falloff_mm)
        capped += 1
    return filling, capped


def open_loops(filling: Filling, loops: BoundaryLoops) -> list[Ints]:
    """Boundary loops of scan and filling together, over boundary vertices and new vertices."""
    patch = boundary_edges(filling.triangles)
    count = len(loops.vertices) + len(filling.points)

    def keys(edges: Ints) -> Ints:
        return edges[:, 0] * count + edges[:, 1]

    open_scan = loops.edges[~np.isin(keys(loops.edges), keys(patch[:, ::-1]))]
    open_patch = patch[~np.isin(keys(patch[:, ::-1]), keys(loops.edges))]
    return edge_loops(np.concatenate([open_scan, open_patch]))


def _is_hole(loop: Ints, loops: BoundaryLoops, *, uv_mm: Floats, cap_perimeter_mm: float) -> bool:
    """Whether a boundary loop of the scan is an opening on the face and no outer boundary of a piece."""
    if loops.on_face[loop].all():
        x, y = (loops.weights[loop] @ uv_mm).T
        return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) < 0
    points = loops.points[loop]
    return float(np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1).sum()) <= cap_perimeter_mm


def _touches_border(filling: Filling, new: Ints, surface: Surface) -> bool:
    """Whether any of the new vertices lies on the face's own border."""
    border = np.zeros(len(surface.mesh.vertices), bool)
    border[boundary_edges(surface.mesh.faces).ravel()] = True
    return bool((filling.weights[new] @ border.astype(float) > BORDER_WEIGHT).any())


def _capped(
    filling: Filling,
    loop: Ints,
    loops: BoundaryLoops,
    *,
    face: Mesh,
    surface: Surface,
    fixed: Ints,
    falloff_mm: float,
) -> Filling:
    """The filling with a disc in the loop, which runs in the direction of the disc's faces."""
    n, start = len(loop), len(loops.vertices) + len(filling.points)
    points = filling.positions(loops)[loop]
    position = np.full(start, -1)
    position[loop] = np.arange(n)
    taken = np.concatenate([fixed, filling.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)])
    local = position[taken][(position[taken] >= 0).all(1)]
    added, triangles = cap_loop(points, fixed=local)
    reverse = np.stack([np.roll(np.arange(n), -1), np.arange(n)], axis=1)
    triangles, parents = split_edges(triangles, duplicate_edges(triangles, reverse, local), n + len(added))
    points = np.concatenate([points, added])
    points = np.concatenate([points, points[parents].mean(1)])
    points = _drawn_to_face(points, triangles, n, surface=surface, falloff_mm=falloff_mm)
    ids = np.concatenate([loop, start + np.arange(len(points) - n)])
    rows = barycentric_matrix(face, surface.closest(points[n:])) if len(points) > n else filling.weights[:0]
    return Filling(
        np.concatenate([filling.triangles, ids[triangles]]),
        np.concatenate([filling.points, points[n:]]),
        sp.vstack([filling.weights, rows]).tocsr(),
    )


def _drawn_to_face(points: Floats, triangles: Ints, n: int, *, surface: Surface, falloff_mm: float) -> Floats:
    """A cap whose loop (the first `n` points) lies on the face moved onto it; a deep one as it is."""
    if len(points) == n:
        return points
    found = surface.closest(points)
    if np.median(found.distance[:n]) > MAX_CAP_DISTANCE_SHARE * falloff_mm:
        return points
    on_loop = np.arange(len(points)) < n
    offset = points - found.points
    blended = blended_offsets(points, triangles, constrained=on_loop, offsets=offset, falloff_mm=falloff_mm)
    return np.where(on_loop[:, None], points, found.points + blended)


def repair_self_intersections(
    filling: Filling, loops: BoundaryLoops, fixed: Ints, *, max_edge_mm: float = MAX_STRIP_EDGE_MM
) -> Filling:
    """The filling with its new vertices faired where it intersects itself; rim and open boundaries stay.

    Where fairing is not enough, inner edges from rim to rim get a vertex that can move, fairing is tried again, and
    what is left is pushed apart. Sheets whose rims run through each other cannot be parted by moving vertices: they
    are reconnected where they intersect.

    Parameters
    ----------
    filling : Filling
    loops : BoundaryLoops
    fixed : (K, 2) int, edges of the scan between boundary vertices, which are not made anew
    max_edge_mm : float, longest edge of a strip that reconnects two sheets
    """
    if not len(filling.triangles):
        return filling
    out = _faired(filling, loops)
    for _ in range(RECONNECTIONS):
        triangles = reconnect_sheets(out.positions(loops), out.triangles, fixed=fixed, max_edge_mm=max_edge_mm)
        if triangles is out.triangles:
            break
        out = _faired(_compact(replace(out, triangles=triangles), loops), loops)
    return out


def _compact(filling: Filling, loops: BoundaryLoops) -> Filling:
    """The filling without the new vertices that none of its triangles uses."""
    count = len(loops.vertices)
    used = np.unique(filling.triangles)
    kept = used[used >= count]
    renumbered = np.arange(count + len(filling.points))
    renumbered[kept] = count + np.arange(len(kept))
    return Filling(renumbered[filling.triangles], filling.points[kept - count], filling.weights[kept - count])


def _faired(filling: Filling, loops: BoundaryLoops) -> Filling:
    """The filling with vertices moved where it intersects itself, and chords between rim vertices split if need be."""
    out = _with_moved_vertices(filling, loops, remove_self_intersections_membrane)
    chords = _intersecting_chords(out, loops)
    if len(chords):
        out = _with_moved_vertices(_split(out, loops, chords), loops, remove_self_intersections_membrane)
    return _with_moved_vertices(out, loops, push_apart)


def _with_moved_vertices(filling: Filling, loops: BoundaryLoops, move: Callable[..., Floats]) -> Filling:
    count = len(loops.vertices)
    used, local = np.unique(filling.triangles, return_inverse=True)
    triangles, points = local.reshape(-1, 3), filling.positions(loops)
    free = used >= count
    free[boundary_edges(triangles)] = False
    points[used] = move(points[used], triangles, free=free)
    return replace(filling, points=points[count:])


def _intersecting_chords(filling: Filling, loops: BoundaryLoops) -> Ints:
    """Inner edges between two rim vertices, of triangles that intersect another or touch such, (C, 2)."""
    triangles, points = filling.triangles, filling.positions(loops)
    edges, pierced = first_intersections(Mesh(points, triangles))
    near = np.zeros(len(points), bool)
    near[edges] = near[triangles[pierced]] = True
    edges, _, used = unique_edges(triangles[near[triangles].sum(1) > 1])
    return edges[(used == 2) & (edges < len(loops.vertices)).all(1)]


def _split(filling: Filling, loops: BoundaryLoops, chords: Ints) -> Filling:
    """The filling with a new vertex in the middle of each chord."""
    triangles, parents = split_edges(filling.triangles, chords, len(loops.vertices) + len(filling.points))
    rows = 0.5 * (loops.weights[parents[:, 0]] + loops.weights[parents[:, 1]])
    points = np.concatenate([filling.points, loops.points[parents].mean(1)])
    return Filling(triangles, points, sp.vstack([filling.weights, rows]).tocsr())
