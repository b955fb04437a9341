"""Shortcuts across the stretches of a scan's boundary that run behind the face: into the mouth, a nostril, an orbit."""

from __future__ import annotations

import numpy as np

from facecom.geometry.closest_points import Closest
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, edge_loops, face_cross, unit, vertex_normals

MIN_RUN_VERTICES = 3
"""A shorter run of vertices on the face between two stretches behind it counts as behind it too."""
MIN_LOOP_VERTICES = 8
"""A loop with fewer vertices on the face counts as behind it as a whole."""
MAX_BACK_FACING_COSINE = -0.2
"""A boundary vertex whose normal has a smaller cosine with the face's looks back at it: 12 degrees beyond upright."""
BACK_FACING_DEPTH_SHARE = 0.3
"""Share of the depth limit beyond which a vertex that looks back is behind the face: nearer ones may be noise."""


def points_behind_face(scan: Mesh, face: Mesh, vertices: Ints, found: Closest, *, depth_mm: float) -> Bools:
    """Boundary vertices that lie behind the face, or whose surface looks back at it, (R,).

    Parameters
    ----------
    scan, face : Mesh, mm
    vertices : (R,) int, boundary vertices of the scan
    found : Closest, their closest points on the face
    depth_mm : float, how deep behind the face is behind
    """
    on_boundary = np.zeros(len(scan.vertices), bool)
    on_boundary[vertices] = True
    part = scan.faces[on_boundary[scan.faces].any(1)]
    own = vertex_normals(scan.vertices, part)[vertices]
    normals = unit(face_cross(face.vertices, face.faces[found.faces]))
    depth = np.einsum("rd,rd->r", found.points - scan.vertices[vertices], normals)
    back_facing = np.einsum("rd,rd->r", own, normals) < MAX_BACK_FACING_COSINE
    return (depth > depth_mm) | (back_facing & (found.distance > BACK_FACING_DEPTH_SHARE * depth_mm))


def shortcut_runs(edges: Ints, behind: Bools, past_border: Bools) -> tuple[Bools, Ints]:
    """Runs of vertices behind the face, each between two vertices on it.

    Parameters
    ----------
    edges : (E, 2) int, directed boundary edges
    behind, past_border : (R,) bool; a run that leaves the face's border gets no shortcut

    Returns
    -------
    off_face : (R,) bool
        What does not lie on the face: `behind` without lone outliers, with whole loops that hardly touch the face.
    shortcuts : (B, 2) int, the vertices before and after each run

    Examples
    --------
    >>> k = np.arange(20)
    >>> edges = np.stack([k, (k + 1) % 20], axis=1)
    >>> shortcut_runs(edges, (k > 8) & (k < 12), np.zeros(20, bool))[1]
    array([[ 8, 12]])
    """
    off_face, shortcuts = behind.copy(), []
    for loop in edge_loops(edges):
        flags = _clean_runs(behind[loop])
        off_face[loop] = flags
        if flags.all() or not flags.any():
            continue
        start = int(np.flatnonzero(~flags)[0])
        loop, flags = np.roll(loop, -start), np.roll(flags, -start)
        change = np.flatnonzero(np.diff(np.append(flags, False).astype(int)))
        for first, last in change.reshape(-1, 2):
            run = loop[first + 1 : last + 1]
            before, after = loop[first], loop[(last + 1) % len(loop)]
            if before != after and not (past_border[run].any() or past_border[before] or past_border[after]):
                shortcuts.append((before, after))
    return off_face, np.array(shortcuts, dtype=np.int64).reshape(-1, 2)


def _clean_runs(flags: Bools) -> Bools:
    """Flags of a closed loop without lone ones and with short gaps closed; all set where few are unset."""
    lone = flags & ~np.roll(flags, 1) & ~np.roll(flags, -1)
    flags = flags & ~lone
    if flags.any() and (~flags).sum() < MIN_LOOP_VERTICES:
        return np.ones_like(flags)
    if not flags.any():
        return flags
    start = int(np.flatnonzero(flags)[0])
    rolled = np.roll(flags, -start)
    change = np.flatnonzero(np.diff(np.append(rolled, True).astype(int)))
    for first, last in change.reshape(-1, 2):
        if last - first < MIN_RUN_VERTICES:
            rolled[first + 1 : last + 1] = True
    return np.roll(rolled, start)


def shortcut_points(starts: Floats, ends: Floats, spacing: Floats) -> list[Floats]:
    """Points on each shortcut, evenly spaced, without its ends.

    Parameters
    ----------
    starts, ends : (B, 3) float, mm
    spacing : (B,) float, mm, about how far apart the points shall be
    """
    out = []
    for a, b, step in zip(starts, ends, spacing, strict=True):
        parts = max(1, round(float(np.linalg.norm(b - a)) / max(float(step), 1e-6)))
        t = np.arange(1, parts)[:, None] / parts
        out.append(a + t * (b - a))
    return out
