"""The holes of a scan that a completion filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from facecom.completion.state import CompletionState, known
from facecom.geometry.mesh import Floats, Ints, face_areas, face_components

SKIN = "skin"
FEATURE_SHARE = 0.15
"""A nose is missing where this share of a hole is nose: what surrounds it is always part of a defect."""
LEAST_AREA_MM2 = 10.0
"""Smaller fillings are cracks of the scan, and no holes that anyone asks for."""


@dataclass(frozen=True, eq=False)
class Hole:
    """A part of the face that the scan lacked.

    faces : (F,) int, triangles of `Completion.merged` that fill it
    area_mm2 : of the filling
    centre : (3,) float, middle of the filling, in the scan's own frame and unit
    regions_mm2 : name of a template's region -> area of the filling that lies in it, largest first
    """

    faces: Ints
    area_mm2: float
    centre: Floats
    regions_mm2: Mapping[str, float]

    def __repr__(self) -> str:
        return f"Hole({self.region}, {self.area_mm2:.0f} mm2)"

    @property
    def region(self) -> str:
        """The feature that is missing: the largest region but skin, where it is a fair share of the hole."""
        features = {name: area for name, area in self.regions_mm2.items() if name != SKIN}
        name = max(features, key=lambda name: features[name], default=SKIN)
        return name if features.get(name, 0.0) >= FEATURE_SHARE * self.area_mm2 else SKIN


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
        shares = np.bincount(nearest[rows], weights=area, minlength=len(template.region_names))
        regions = {template.region_names[n]: float(shares[n]) for n in np.argsort(-shares) if shares[n] > 0}
        centre = state.face_to_scan.apply(middle[None])[0]
        holes.append(Hole(first + rows, float(area.sum()), centre, regions))
    return tuple(sorted(holes, key=lambda hole: -hole.area_mm2))


def _nearest_region(state: CompletionState, points: Floats) -> Ints:
    """Number of the template's region that each point (N, 3) of the face frame lies nearest to."""
    return np.asarray(state.template.region[cKDTree(known(state.projection, "project").vertices).query(points)[1]])
