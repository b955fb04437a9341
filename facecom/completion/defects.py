"""Which triangles of a scan show a defect, from what the rest of the scan contradicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from facecom.completion.alignment import face_mask, vertex_weights
from facecom.completion.types import CompletionSettings, Scan
from facecom.fitting.defect_search import Contradiction, find_contradiction
from facecom.geometry.closest_points import Surface, height_over
from facecom.geometry.mesh import Bools, Floats, Mesh, face_areas, face_components
from facecom.geometry.transform import Similarity
from facecom.model.protocol import FaceModel
from facecom.model.template import FIT_LEVEL, SHAPE_LEVEL, Template
from facecom.scan.marks import filled_islands

OUTER_WEIGHT = 0.2
"""Vertices that the fit trusts less, ears, scalp, neck and nostrils, are no part of a defect that is found."""
HALF = 0.5
"""A triangle belongs to what more than this share of its place on the face belongs to."""
WEAK_MM, WEAK_SIGMA = 0.8, 1.2
"""Beside a defect, surface this far from the face, in mm and in standard deviations, belongs to it too."""
WEAK_REACH_MM = 14.0
"""How far a defect reaches in that way: swelling fades over some 12 mm."""
RIM_MM = 2.0
"""Width of the strip about a defect that is left out with it: its border is not known better."""
BEHIND_MM = 2.0
"""Pieces that are cut off from the face and lie this far behind it are walls of a cavity."""
MOST_PIECE_SHARE = 0.1
"""Share of the scan's triangles that such a piece has at most."""


@dataclass(frozen=True, eq=False)
class FoundDefect:
    """Triangles (F,) of `Scan.mesh` that show a defect, their area in mm2, and the pose without them."""

    triangles: Bools
    area_mm2: float
    pose: Similarity


def find_defect(
    scan: Scan, model: FaceModel, code: Floats, *, pose: Similarity, settings: CompletionSettings
) -> FoundDefect | None:
    """Where a scan shows a defect; None where all of it may be a face.

    Parameters
    ----------
    code, pose : of a fit to all of the scan; scan, mm -> face frame
    """
    weights = vertex_weights(model.template, level=FIT_LEVEL, settings=settings)
    scope = search_scope(model.template, weights, settings=settings)
    found = find_contradiction(
        scan.for_fit, model, code, pose=pose, weights=weights, scope=scope, settings=settings.defects
    )
    if found is None:
        return None
    triangles = _triangles(scan, model, found, scope)
    area = float(face_areas(Mesh(scan.mm.mesh.vertices, scan.mm.mesh.faces[triangles])).sum())
    return FoundDefect(triangles, area, found.pose) if triangles.any() else None


def search_scope(template: Template, weights: Floats, *, settings: CompletionSettings) -> Bools:
    """Vertices (V,) of the fit's level where a defect is looked for; `weights` (V,) are those of `vertex_weights`."""
    return face_mask(template, level=FIT_LEVEL, radius_mm=settings.inner_radius_mm) & (weights > OUTER_WEIGHT)


def _triangles(scan: Scan, model: FaceModel, found: Contradiction, scope: Bools) -> Bools:
    """Triangles of the scan that lie on contradicted vertices of the face, and what beside them is as far off."""
    template, mesh = model.template, scan.mm.mesh
    faces = template.faces[SHAPE_LEVEL]
    face = model.decode(found.code, level=SHAPE_LEVEL)

    def prolonged(values: Floats | Bools) -> Floats:
        return template.prolong(values.astype(float), from_level=FIT_LEVEL, to_level=SHAPE_LEVEL)

    centres = found.pose.apply(mesh.vertices[mesh.faces].mean(axis=1))
    surface = Surface(Mesh(face, faces))
    place = surface.closest(centres)
    height = height_over(centres, place, face=surface.mesh)

    def at(values: Floats) -> Floats:
        return np.einsum("fk,fk->f", place.barycentric, values[faces[place.faces]])

    seed = at(prolonged(found.vertices)) > HALF
    weak = (np.abs(height) > np.maximum(WEAK_MM, WEAK_SIGMA * at(prolonged(found.sigma_mm)))) & (
        at(prolonged(scope)) > HALF
    )
    if not seed.any():
        return seed
    marked = _near(centres, _grown(mesh, seed, weak, centres), RIM_MM)
    marked = filled_islands(mesh, marked, mm_per_unit=1.0)
    return marked | _walls(mesh, marked, height)


def _near(centres: Floats, chosen: Bools, reach: float) -> Bools:
    return np.asarray(cKDTree(centres[chosen]).query(centres, distance_upper_bound=reach)[0] < reach)


def _grown(mesh: Mesh, seed: Bools, weak: Bools, centres: Floats) -> Bools:
    """The seed and what is weak, near it and connected with it."""
    candidates = seed | (weak & _near(centres, seed, WEAK_REACH_MM))
    rows = np.flatnonzero(candidates)
    label = face_components(mesh.faces[rows])
    touching = np.zeros(label.max() + 1, bool)
    touching[label[seed[rows]]] = True
    out = np.zeros(len(seed), bool)
    out[rows[touching[label]]] = True
    return out


def _walls(mesh: Mesh, marked: Bools, height: Floats) -> Bools:
    """Pieces of the rest that the defect cuts off and that lie behind the face, (F,)."""
    rest = np.flatnonzero(~marked)
    out = np.zeros(len(marked), bool)
    if not len(rest):
        return out
    label = face_components(mesh.faces[rest])
    count = np.bincount(label)
    touching = np.zeros(len(mesh.vertices), bool)
    touching[mesh.faces[marked]] = True
    beside = np.bincount(label, touching[mesh.faces[rest]].any(axis=1)) > 0
    behind = np.bincount(label, height[rest]) / count < -BEHIND_MM
    out[rest[(beside & behind & (count < MOST_PIECE_SHARE * len(marked)))[label]]] = True
    return out
