"""The border of a mark moved to where a defect's border plainly runs."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.face_adjacency import faces_at_edges
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_areas, face_normals, unique_edges
from facecom.geometry.minimum_cut import MAX_CAPACITY, cheapest_labels

GROWTH_MM = 3.0
"""How far beyond the paint its border is looked for: people paint up to 2 mm within what they mean."""
CREASE_RAD = 0.35
"""Angle between two triangles at which a cut between them costs half."""
COLOR_STEP = 0.08
"""Step of the colour (0..1) between two triangles at which it does too."""
FARTHER_COST_PER_MM = 0.02
"""What a mm2 of healthy skin costs for each mm that it lies from the paint, in mm of border."""
UNITS_PER_MM = 200.0
"""Integer units of flow for each mm of cut: the solver counts in integers."""


def snapped_border(scan: Mesh, marked: Bools, *, mm_per_unit: float, growth_mm: float = GROWTH_MM) -> Bools:
    """The mark grown to the cheapest border around it: short, along creases and steps of depth or colour.

    What is marked stays marked. Nothing farther from it than `growth_mm` is added. The border is a minimum cut of the
    graph of triangles, as in Boykov and Jolly, Interactive graph cuts (2001), with the mark as the object's seeds.

    Parameters
    ----------
    scan : Mesh with faces, in its own unit
    marked : (F,) bool
    mm_per_unit : length of the unit

    Returns
    -------
    (F,) bool
    """
    if not marked.any() or marked.all():
        return marked
    centres = scan.vertices[scan.faces].mean(axis=1) * mm_per_unit
    distance = np.zeros(len(marked))
    rest = np.flatnonzero(~marked)
    distance[rest] = cKDTree(centres[marked]).query(centres[rest], distance_upper_bound=2.0 * growth_mm)[0]
    near = np.flatnonzero(distance < 2.0 * growth_mm)
    local = Mesh(scan.vertices * mm_per_unit, scan.faces[near], colors=scan.colors)
    out = marked.copy()
    out[near] |= _minimum_cut(local, marked[near], distance[near], growth_mm)
    return out


def _minimum_cut(scan: Mesh, marked: Bools, distance: Floats, growth_mm: float) -> Bools:
    pairs, cost = _cut_costs(scan)
    to_sink = np.where(
        distance > growth_mm, MAX_CAPACITY, UNITS_PER_MM * FARTHER_COST_PER_MM * face_areas(scan) * distance
    )
    return cheapest_labels(
        pairs,
        UNITS_PER_MM * cost,
        if_false=np.where(marked, MAX_CAPACITY, 0.0),
        if_true=np.where(marked, 0.0, to_sink),
    )


def _cut_costs(scan: Mesh) -> tuple[Ints, Floats]:
    """Neighbouring triangles (E, 2), and what parting them costs, mm."""
    edges, edge_of, used = unique_edges(scan.faces)
    inner = used == 2
    pairs = faces_at_edges(edge_of, inner) % len(scan.faces)
    length = np.linalg.norm(scan.vertices[edges[inner, 0]] - scan.vertices[edges[inner, 1]], axis=1)
    normals = face_normals(scan)
    cosine = np.clip(np.einsum("ed,ed->e", normals[pairs[:, 0]], normals[pairs[:, 1]]), -1.0, 1.0)
    step = (np.arccos(cosine) / CREASE_RAD) ** 2
    if scan.colors is not None:
        color = scan.colors[scan.faces].mean(axis=1)
        step = step + (np.linalg.norm(color[pairs[:, 0]] - color[pairs[:, 1]], axis=1) / COLOR_STEP) ** 2
    return pairs, length / (1.0 + step)
