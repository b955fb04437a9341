"""How likely each triangle of a scan shows a defect, and the places where that is not sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from facecom.completion.alignment import vertex_weights
from facecom.completion.defect_features import NAMES, defect_features
from facecom.completion.defects import search_scope
from facecom.completion.types import CompletionSettings, Scan
from facecom.fitting.defect_evidence import surface_evidence
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_areas, unique_edges
from facecom.geometry.transform import Similarity
from facecom.model.protocol import FaceModel
from facecom.model.template import FIT_LEVEL, Template

REACH_MM = 8.0
"""A triangle farther from the face than this is not judged: it is hair, collar or clutter."""
PLACES: dict[str, tuple[float, float, float]] = {
    "forehead": (0.0, 82.0, -30.0),
    "temple": (62.0, 54.0, -60.0),
    "brow": (29.0, 59.0, -29.0),
    "orbit": (31.0, 31.0, -36.0),
    "nose": (0.0, 8.0, -4.0),
    "cheekbone": (48.0, 7.0, -41.0),
    "cheek": (40.0, -24.0, -36.0),
    "upper lip": (0.0, -26.0, -13.0),
    "lower lip": (0.0, -43.0, -14.0),
    "corner of the mouth": (25.0, -38.0, -27.0),
    "jaw": (51.0, -58.0, -63.0),
    "chin": (0.0, -66.0, -21.0),
}
"""Names of places of the face, and where they lie on the mean face's left half; mm, face frame."""
MIDLINE_MM = 12.0
"""Places whose middle is no farther from the midline have no side."""


@dataclass(frozen=True)
class DoubtfulPlace:
    """A connected part of a scan that may be a defect.

    place : where on the face, such as "left cheek" (the subject's left)
    center : its middle, in the scan's own frame and unit
    area_mm2 : of it
    probability : that a triangle of it shows a defect, mean
    """

    place: str
    center: tuple[float, float, float]
    area_mm2: float
    probability: float


@dataclass(frozen=True, eq=False)
class DefectProbability:
    """How likely a scan shows a defect.

    triangles : (F,) of each triangle of `Scan.mesh`, 0 to 1; 0 where none is looked for: ears, scalp, neck, clutter
    doubtful : (F,) bool, triangles of the places
    places : where it is not sure, largest first
    """

    triangles: Floats
    doubtful: Bools
    places: tuple[DoubtfulPlace, ...]

    def vertices(self, faces: Ints, count: int) -> Floats:
        """The same of each of the `count` vertices of the scan, (V,): the mean of the triangles around it."""
        number = np.bincount(faces.ravel(), minlength=count)
        total = np.bincount(faces.ravel(), np.repeat(self.triangles, 3), minlength=count)
        return np.asarray(total / np.maximum(number, 1))


def defect_probability(
    scan: Scan, model: FaceModel, code: Floats, *, pose: Similarity, settings: CompletionSettings
) -> DefectProbability:
    """How likely each triangle of a scan shows a defect, where none was found or what was found is left out.

    Parameters
    ----------
    code, pose : of a fit to the scan; scan, mm -> face frame
    """
    template, wanted = model.template, settings.defect_probability
    weights = vertex_weights(template, level=FIT_LEVEL, settings=settings)
    evidence = surface_evidence(
        scan.for_fit,
        model,
        code,
        pose=pose,
        weights=weights,
        scope=search_scope(template, weights, settings=settings),
        settings=settings.defects,
    )
    features = defect_features(scan, template, evidence, pose=pose)
    logit = features.values @ np.array([getattr(wanted, name) for name in NAMES]) + wanted.intercept
    at_vertices = np.where(features.shown, 1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0))), 0.0)
    area = vertex_areas(evidence.vertices, template.faces[FIT_LEVEL])
    doubted = _components(at_vertices > wanted.doubtful, template)
    parts = [part for part in doubted if area[part].sum() > wanted.least_mm2]
    nearest = _nearest(scan, evidence.vertices, pose)
    triangles = np.where(nearest >= 0, at_vertices[nearest], 0.0)
    number = np.full(len(at_vertices), -1)
    for k, part in enumerate(parts):
        number[part] = k
    label = np.where(nearest >= 0, number[nearest], -1)
    places = [_place(scan, np.flatnonzero(label == k), part, triangles, template) for k, part in enumerate(parts)]
    return DefectProbability(
        triangles, label >= 0, tuple(sorted((p for p in places if p.area_mm2 > 0), key=lambda p: -p.area_mm2))
    )


def _components(mask: Bools, template: Template) -> list[Ints]:
    """The connected parts of a mask of the fit's vertices, as indices."""
    edges = unique_edges(template.faces[FIT_LEVEL])[0]
    inside = edges[mask[edges].all(axis=1)]
    graph = sp.coo_matrix((np.ones(len(inside)), (inside[:, 0], inside[:, 1])), shape=(len(mask),) * 2)
    label = np.where(mask, csgraph.connected_components(graph, directed=False)[1], -1)
    return [np.flatnonzero(label == k) for k in np.unique(label[mask])]


def _nearest(scan: Scan, vertices: Floats, pose: Similarity) -> Ints:
    """The vertex of the face that each triangle (F,) of the scan lies nearest to; -1 where none is near."""
    mesh = scan.mm.mesh
    centres = pose.apply(mesh.vertices[mesh.faces].mean(axis=1))
    distance, nearest = cKDTree(vertices).query(centres, distance_upper_bound=REACH_MM)
    return np.where(np.isfinite(distance), nearest, -1)


def _place(scan: Scan, triangles: Ints, part: Ints, probability: Floats, template: Template) -> DoubtfulPlace:
    own = Mesh(scan.mm.mesh.vertices, scan.mm.mesh.faces[triangles])
    corners, area = own.vertices[own.faces], face_areas(own)
    whole = max(float(area.sum()), 1e-12)
    x, y, z = (area @ corners.mean(axis=1) / whole / scan.mm_per_unit).tolist()
    return DoubtfulPlace(
        place=place_name(template.vertices[part].mean(axis=0)),
        center=(x, y, z),
        area_mm2=float(area.sum()),
        probability=float(area @ probability[triangles] / whole),
    )


def place_name(point: Floats) -> str:
    """What a place of the mean face is called.

    Parameters
    ----------
    point : (3,) mm, face frame

    Examples
    --------
    >>> place_name(np.array([-36.0, -20.0, -30.0])), place_name(np.array([2.0, 10.0, -9.0]))
    ('right cheek', 'nose')
    """
    folded = np.array([abs(point[0]), point[1], point[2]])
    name = min(PLACES, key=lambda one: float(np.linalg.norm(folded - PLACES[one])))
    side = "" if folded[0] <= MIDLINE_MM else "left " if point[0] > 0 else "right "
    return side + name
