"""What tells a defect from skin at each vertex of the face: shape, symmetry, flatness, smoothness, colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.completion.types import Scan
from facecom.fitting.defect_evidence import SurfaceEvidence
from facecom.geometry.mesh import Bools, Floats, Ints, face_cross, grow_rings, unit, vertex_adjacency, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.model.template import FIT_LEVEL, Template

POOLED_RINGS = 2
"""A vertex is told by itself and this many rings of neighbours, some 9 mm about it."""
EYES = ("l_eye", "r_eye")
WIDE_RINGS = 4
"""What is sunken about the midline is so over more of them."""
CENTRAL_MM = (18.0, 28.0)
"""Distance from the midline up to which the other side tells nothing, and from which it tells all."""
SURROUNDING_RINGS = 14
"""Rings that tell what the skin about it is like."""
REACH_MM = 7.0
"""Triangles of the scan this near to a vertex of the face tell how smooth the scan is there, and its colour."""
MOST_TRIANGLES = 40_000
"""So many triangles of a scan tell that well enough."""
LEAST_CURVATURE_SQUARED, LEAST_MEAN_CURVATURE_SQUARED = 2e-4, 4e-5
"""1/mm2; curvatures of a smaller mean square, and mean curvatures of a smaller square, count as flat."""
LEAST_TOLD = 0.25
"""Share of the vertices about one whose curvature must be known."""
MOST_LOG_RATIO = 3.0
USUAL_LOG_SMOOTHNESS, MOST_LOG_SMOOTHNESS = 0.6, 1.5
"""Logarithms of ratios of relief up to which skin differs from the skin about it, and of what is counted beyond."""
USUAL_COLOR = 2.0
"""Contrast of colour, as a logarithm, up to which skin differs from skin."""
SMOOTHEST_MM = 1e-3
"""Less relief than this is none: files are rounded."""
LEAST_HUE_STEP, DARKEST = 0.02, 0.02
"""Smaller steps of hue, as logarithms of ratios of channels, are noise; darker channels (0..1) have none."""
NAMES = ("asymmetry", "central_depth", "flatness", "one_sided_flatness", "smoothness", "color")
"""The features, in the order of `DefectFeatures.values`."""


@dataclass(frozen=True, eq=False)
class DefectFeatures:
    """values : (V, 6) at the vertices of the fit's level, in the order of `NAMES`; shown : (V,), where they hold."""

    values: Floats
    shown: Bools


def defect_features(scan: Scan, template: Template, evidence: SurfaceEvidence, *, pose: Similarity) -> DefectFeatures:
    """What tells a defect from skin, at each vertex of the fit's level.

    asymmetry : squared difference of the deviation from what the rest of the scan predicts to that of the other side,
    where that is less; central_depth : near the midline, where there is no other side, squared deviation of what lies
    deeper than predicted. Of both the logarithm of one more; deviations are in standard deviations.
    flatness : logarithm of how much less curved the scan is than the mean face; one_sided_flatness : than the other
    side is. The two sides are not compared at the eyes, which open, close and shine.
    smoothness : of how much less rough it is than the skin about it, beyond what is usual.
    color : of one more than the squared contrast of its hue to most of the face, or to its other side where that is
    less, in units of what is usual and beyond that; 0 where the scan has no colours.

    Parameters
    ----------
    pose : scan, mm -> face frame
    """
    rings = _Rings(template)
    shown, mirror = evidence.shown, template.mirror[: len(evidence.shown)]
    both = shown & shown[mirror] & ~_eyes(template)
    deviation, wide = (rings.pooled(evidence.deviation, shown, count) for count in (POOLED_RINGS, WIDE_RINGS))
    more = np.abs(deviation) > np.abs(deviation[mirror])
    at = _triangles_at(scan, evidence.vertices, pose)
    flatness, one_sided = _flatness(evidence, template, rings, mirror=mirror)
    values = {
        "asymmetry": np.log1p(np.where(both & more, deviation - deviation[mirror], 0.0) ** 2),
        "central_depth": _central(template) * np.log1p(np.minimum(wide, 0.0) ** 2),
        "flatness": flatness,
        "one_sided_flatness": np.where(both, one_sided, 0.0),
        "smoothness": _smoothness(scan, at, rings, shown=shown),
        "color": _color_contrast(scan, at, rings, shown=shown, mirror=mirror),
    }
    return DefectFeatures(np.where(shown[:, None], np.stack([values[name] for name in NAMES], axis=1), 0.0), shown)


class _Rings:
    """Means over rings of neighbours on the fit's level of a template."""

    def __init__(self, template: Template) -> None:
        self.faces, count = template.faces[FIT_LEVEL], template.counts[FIT_LEVEL]
        self.neighbours = vertex_adjacency(self.faces, count)
        self.degree = np.asarray(self.neighbours.sum(axis=1)).ravel()
        self._step = (self.neighbours + sp.identity(count)).tocsr()

    def pooled(self, values: Floats, mask: Bools, rings: int = POOLED_RINGS) -> Floats:
        """Mean of the values (V,) of the mask over so many rings, most of it from the middle; 0 where there is none."""
        total, weight = np.where(mask, values, 0.0), mask.astype(float)
        for _ in range(rings):
            total, weight = self._step @ total, self._step @ weight
            scale = max(float(weight.max()), 1e-12)
            total, weight = total / scale, weight / scale
        return np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), 0.0)

    def curvature(self, vertices: Floats, normals: Floats, mask: Bools) -> tuple[Floats, Bools]:
        """Sum of both curvatures, 1/mm, positive where convex, and where all neighbours tell it, (V,) each."""
        whole = mask & (self.neighbours @ mask.astype(float) >= self.degree)
        offset = self.neighbours @ vertices - self.degree[:, None] * vertices
        height = np.einsum("vd,vd->v", offset, normals)
        squared = (
            self.neighbours @ np.sum(vertices**2, axis=1)
            - 2.0 * np.einsum("vd,vd->v", self.neighbours @ vertices, vertices)
            + self.degree * np.sum(vertices**2, axis=1)
        )
        return np.where(whole, -4.0 * height / np.maximum(squared, 1e-9), 0.0), whole


def _eyes(template: Template) -> Bools:
    """Vertices (V,) of eyes and lids, and a ring about them."""
    eyes = np.any([template.region_mask(name, FIT_LEVEL) for name in (*EYES, "eyelids")], axis=0)
    return grow_rings(template.faces[FIT_LEVEL], eyes, 1)


def _central(template: Template) -> Floats:
    """How far a vertex (V,) is too near to the midline for its other side to tell anything, 0 to 1."""
    x = np.abs(template.mesh(FIT_LEVEL).vertices[:, 0])
    return np.clip((CENTRAL_MM[1] - x) / (CENTRAL_MM[1] - CENTRAL_MM[0]), 0.0, 1.0)


def _flatness(evidence: SurfaceEvidence, template: Template, rings: _Rings, *, mirror: Ints) -> tuple[Floats, Floats]:
    """How much flatter a scan is than the mean face, and than its other side, as logarithms, (V,) each."""
    mean = template.mesh(FIT_LEVEL).vertices
    everywhere = np.ones(len(mean), bool)
    expected = rings.curvature(mean, vertex_normals(mean, rings.faces), everywhere)[0]
    scanned = evidence.vertices + evidence.normals * evidence.residual[:, None]
    found, whole = rings.curvature(scanned, evidence.normals, evidence.shown)
    told = rings.pooled(whole.astype(float), everywhere) > LEAST_TOLD
    squared = [rings.pooled(curvature**2, whole) + LEAST_CURVATURE_SQUARED for curvature in (expected, found)]
    flat = np.where(told, np.log(squared[0] / squared[1]), 0.0)
    mean_squared = rings.pooled(found, whole) ** 2 + LEAST_MEAN_CURVATURE_SQUARED
    one_sided = np.where(told & told[mirror], np.log(mean_squared[mirror] / mean_squared), 0.0)
    return np.clip(flat, -MOST_LOG_RATIO, MOST_LOG_RATIO), np.clip(one_sided, 0.0, MOST_LOG_RATIO)


@dataclass(frozen=True, eq=False)
class _TrianglesAt:
    """Some triangles (n,) of a scan, and the vertices (n,) of the face that they lie nearest to."""

    triangles: Ints
    vertices: Ints

    def mean(self, values: Floats, count: int) -> tuple[Floats, Bools]:
        """Means of the values (n,) of the triangles at each vertex (count,), and where there are any."""
        number = np.bincount(self.vertices, minlength=count)
        return np.bincount(self.vertices, values, minlength=count) / np.maximum(number, 1), number > 0


def _triangles_at(scan: Scan, vertices: Floats, pose: Similarity) -> _TrianglesAt:
    mesh = scan.mm.mesh
    some = np.arange(0, len(mesh.faces), max(1, len(mesh.faces) // MOST_TRIANGLES))
    centres = pose.apply(mesh.vertices[mesh.faces[some]].mean(axis=1))
    distance, nearest = cKDTree(vertices).query(centres, distance_upper_bound=REACH_MM)
    near = np.isfinite(distance)
    return _TrianglesAt(some[near], nearest[near])


def _smoothness(scan: Scan, at: _TrianglesAt, rings: _Rings, *, shown: Bools) -> Floats:
    """How much less relief the scan has than about it: tilts of triangles against the surface, by their size."""
    mesh, corners = scan.mm.mesh, scan.mm.mesh.faces[at.triangles]
    cross = face_cross(mesh.vertices, corners)
    normals = unit(scan.mm.normals[corners].mean(axis=1))
    tilt = np.linalg.norm(np.cross(unit(cross), normals), axis=1)
    relief, told = at.mean(tilt * np.sqrt(np.linalg.norm(cross, axis=1)), len(shown))
    told &= shown
    level = np.log(np.maximum(relief, SMOOTHEST_MM))
    ratio = rings.pooled(level, told, SURROUNDING_RINGS) - rings.pooled(level, told)
    return np.clip(ratio - USUAL_LOG_SMOOTHNESS, 0.0, MOST_LOG_SMOOTHNESS)


def _color_contrast(scan: Scan, at: _TrianglesAt, rings: _Rings, *, shown: Bools, mirror: Ints) -> Floats:
    """How much the hue differs from that of most of the face and from the other side's, (V,).

    By logarithms of ratios of channels, which shading leaves alone.
    """
    mesh = scan.mm.mesh
    if mesh.colors is None or not len(at.triangles):
        return np.zeros(len(shown))
    sampled = np.log(np.maximum(mesh.colors[mesh.faces[at.triangles]].mean(axis=1), DARKEST))
    ratios = [at.mean(sampled[:, k] - sampled[:, 1], len(shown)) for k in (0, 2)]
    told = ratios[0][1] & shown
    if not told.any():
        return np.zeros(len(shown))
    hue = np.stack([rings.pooled(values, told) for values, _ in ratios], axis=1)
    from_face = np.linalg.norm(hue - np.median(hue[told], axis=0), axis=1)
    both = told & told[mirror]
    from_side = np.where(both, np.linalg.norm(hue - hue[mirror], axis=1), from_face)
    usual = [max(float(np.median(step[told])), LEAST_HUE_STEP) for step in (from_face, from_side)]
    least = np.minimum(from_face / usual[0], from_side / usual[1])
    return np.where(told, np.clip(np.log1p(least**2) - USUAL_COLOR, 0.0, MOST_LOG_RATIO), 0.0)
