"""Borders that dive behind the face (into the mouth, a nostril, behind an eye) are cut short across their mouth."""

from __future__ import annotations

import numpy as np

from facecom.geometry.closest_points import Closest
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, edge_loops, face_cross, unit, vertex_normals

_SHORTEST_RUN = 3  # vertices on the face between two dives that still count as lying on it
_FEWEST = 8  # vertices that a loop must have on the face, else all of it is taken for deep


def points_behind_face(scan: Mesh, face: Mesh, vertices: Ints, found: Closest, *, depth_mm: float) -> Bools:
    """Border vertices that lie behind the face or whose surface looks back at it, (R,)."""
    is_rim = np.zeros(len(scan.vertices), bool)
    is_rim[vertices] = True
    part = scan.faces[is_rim[scan.faces].any(1)]
    own = vertex_normals(scan.vertices, part)[vertices]
    normals = unit(face_cross(face.vertices, face.faces[found.faces]))
    behind = np.einsum("rd,rd->r", found.points - scan.vertices[vertices], normals)
    away = np.einsum("rd,rd->r", own, normals) < -0.2
    return (behind > depth_mm) | (away & (found.distance > 0.3 * depth_mm))


def shortcut_runs(edges: Ints, deep: Bools, beyond: Bools) -> tuple[Bools, Ints]:
    """Runs of deep vertices between two shallow ones.

    Parameters
    ----------
    edges : (E, 2) int, directed border edges
    deep, beyond : (R,) bool; a run that leaves the face's border gets no bridge

    Returns
    -------
    off : (R,) bool, what does not lie on the face: `deep`, without lone outliers, with whole loops that hardly touch it
    bridges : (B, 2) int, the vertices before and after each run
    """
    off, bridges = deep.copy(), []
    for loop in edge_loops(edges):
        flags = _tidy(deep[loop])
        off[loop] = flags
        if flags.all() or not flags.any():
            continue
        start = int(np.flatnonzero(~flags)[0])
        loop, flags = np.roll(loop, -start), np.roll(flags, -start)
        change = np.flatnonzero(np.diff(np.append(flags, False).astype(int)))
        for first, last in change.reshape(-1, 2):
            run = loop[first + 1 : last + 1]
            before, after = loop[first], loop[(last + 1) % len(loop)]
            if before != after and not (beyond[run].any() or beyond[before] or beyond[after]):
                bridges.append((before, after))
    return off, np.array(bridges, dtype=np.int64).reshape(-1, 2)


def _tidy(flags: Bools) -> Bools:
    """Drop lone deep vertices and short shallow runs of a closed loop; all deep where little is left."""
    lone = flags & ~np.roll(flags, 1) & ~np.roll(flags, -1)
    flags = flags & ~lone
    if flags.any() and (~flags).sum() < _FEWEST:
        return np.ones_like(flags)
    if not flags.any():
        return flags
    start = int(np.flatnonzero(flags)[0])
    turned = np.roll(flags, -start)
    change = np.flatnonzero(np.diff(np.append(turned, True).astype(int)))
    for first, last in change.reshape(-1, 2):
        if last - first < _SHORTEST_RUN:
            turned[first + 1 : last + 1] = True
    return np.roll(turned, start)


def shortcut_points(starts: Floats, ends: Floats, spacing: Floats) -> list[Floats]:
    """Points between the ends of each bridge, evenly, about `spacing` apart; the ends left out."""
    out = []
    for a, b, step in zip(starts, ends, spacing, strict=True):
        parts = max(1, round(float(np.linalg.norm(b - a)) / max(float(step), 1e-6)))
        t = np.arange(1, parts)[:, None] / parts
        out.append(a + t * (b - a))
    return out
