"""Where a triangle mesh crosses itself."""

from __future__ import annotations

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Ints, Mesh, pierces, unique_edges

_MOST_TOUCHED = 9  # hits of faces that an edge only touches, before one that it pierces; ever wider steps pass them


def intersecting_edges(mesh: Mesh, *, least_mm: float = 1e-5) -> Ints:
    """Edges that pierce a triangle they share no vertex with, (C, 2).

    Single precision finds hits where triangles of one plane touch; an edge counts whose ends lie at least `least_mm`
    on either side.
    """
    return self_intersections(mesh, least_mm=least_mm)[0]


def self_intersections(mesh: Mesh, *, least_mm: float = 1e-5) -> tuple[Ints, Ints]:
    """The same edges, and a face that each pierces, (C,)."""
    edges, _, _ = unique_edges(mesh.faces)
    surface = Surface(mesh)
    start, way = mesh.vertices[edges[:, 0]], np.diff(mesh.vertices[edges], axis=1)[:, 0]
    active, passed = np.arange(len(edges)), np.full(len(edges), 1e-3)
    found, faces = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for turn in range(_MOST_TOUCHED):
        hits = surface.cast(start[active] + passed[:, None] * way[active], way[active])
        met = passed + hits.depth < 0.998
        active, passed, face = active[met], (passed + hits.depth)[met] + 1e-3 * 2**turn, hits.faces[met]
        through = pierces(mesh, edges[active], face, least_mm=least_mm)
        found.append(active[through])
        faces.append(face[through])
        active, passed = active[~through], passed[~through]  # a face that only touches may hide another
        if not len(active):
            break
    return edges[np.concatenate(found)], np.concatenate(faces)
