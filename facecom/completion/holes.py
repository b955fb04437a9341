"""The holes of a scan that a completion filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from facecom.completion.state import CompletionState, known
from facecom.geometry.mesh import Floats, Ints, face_areas, face_components

LEAST_AREA_MM2 = 10.0
"""Smaller fillings are cracks of the scan, and no holes that anyone asks for."""


@dataclass(frozen=True, eq=False)
class Hole:
    """A part of the face that the scan lacked.

    faces : (F,) int, triangles of `Completion.merged` that fill it
    area_mm2 : of the filling
    centre : (3,) float, middle of the filling, in the scan's own frame and unit
    region : name of the template's region that most of it lies in
    """

    faces: Ints
    area_mm2: float
    centre: Floats
    region: str


def find_holes(state: CompletionState) -> tuple[Hole, ...]:
    """The connected fillings of a completion of `LEAST_AREA_MM2` and more, largest first."""
    merged, template = known(state.stitched, "stitch").merged, state.template
    first = len(known(state.scan, "clean").mesh.faces)
    added = merged.submesh(np.arange(len(merged.faces)) >= first)[0] if len(merged.faces) > first else None
    if added is None:
        return ()
    label, areas = face_components(added.faces), face_areas(added)
    nearest = _nearest_region(state, added.vertices[added.faces].mean(axis=1))
    holes = []
    for k in range(int(label.max()) + 1):
        rows = np.flatnonzero(label == k)
        area = areas[rows]
        if area.sum() < LEAST_AREA_MM2:
            continue
        middle = area @ added.vertices[added.faces[rows]].mean(axis=1) / area.sum()
        most = int(np.argmax(np.bincount(nearest[rows], weights=area)))
        centre = state.face_to_scan.apply(middle[None])[0]
        holes.append(Hole(first + rows, float(area.sum()), centre, template.region_names[most]))
    return tuple(sorted(holes, key=lambda hole: -hole.area_mm2))


def _nearest_region(state: CompletionState, points: Floats) -> Ints:
    """Number of the template's region that each point (N, 3) of the face frame lies nearest to."""
    return np.asarray(state.template.region[cKDTree(known(state.projection, "project").vertices).query(points)[1]])
