"""How well a patch meets the scan along its rim: the step in height and the kink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from facecom.evaluation.measures import ErrorSummary, angle_between
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_normals, unique_edges, vertex_normals

MIN_SIDE_POINTS = 4
"""Vertices on each side of a rim vertex below which no step is fitted there."""


@dataclass(frozen=True)
class RimReport:
    """step : absolute step in height over the rim, mm; kink : angle between the faces of both sides along the rim,
    radians; inside : the same angle over the scan's own edges near the rim, radians, to compare the kink with.
    """

    step: ErrorSummary
    kink: ErrorSummary
    inside: ErrorSummary


def rim_report(merged: Mesh, of_patch: Bools, *, radius_mm: float = 4.0) -> RimReport:
    """Measure the seam between the scan's own faces and those of the patch.

    Parameters
    ----------
    merged : Mesh
        The scan's triangles and the patch, sharing the vertices of the rim.
    of_patch : (F,) bool, True for faces of the patch
    radius_mm : float
        How far from the rim its two sides are looked at; a few edges of the coarser side.

    Returns
    -------
    RimReport; all counts are 0 where the two sides share no edge

    Raises
    ------
    ValueError
        When `of_patch` does not have one value for each face.

    Notes
    -----
    The step at a rim vertex is the coefficient of "is on the side of the patch" in a least-squares quadratic of the
    heights around it over the tangent plane, so that neither the slope nor the curvature of the face counts as a step.
    """
    if of_patch.shape != (len(merged.faces),):
        raise ValueError(
            f"expected {len(merged.faces)} values, one for each face, got an array of shape {of_patch.shape}"
        )
    edges, first, second = _inner_edges(merged.faces)
    normals = face_normals(merged)
    angle = angle_between(normals[first], normals[second])
    on_rim = of_patch[first] != of_patch[second]
    rim = np.unique(edges[on_rim])
    if not len(rim):
        return RimReport(*[ErrorSummary.of([])] * 3)
    middle = merged.vertices[edges].mean(1)
    near = cKDTree(merged.vertices[rim]).query(middle, distance_upper_bound=radius_mm)[0] < radius_mm
    inside = near & ~of_patch[first] & ~of_patch[second]
    return RimReport(
        ErrorSummary.of(np.abs(_steps(merged, of_patch, rim, radius_mm))),
        ErrorSummary.of(angle[on_rim]),
        ErrorSummary.of(angle[inside]),
    )


def _inner_edges(faces: Ints) -> tuple[Ints, Ints, Ints]:
    """Edges of exactly two faces, and these faces."""
    edges, edge, count = unique_edges(faces)
    face = np.tile(np.arange(len(faces)), 3)[np.argsort(edge, kind="stable")]
    start = np.cumsum(count) - count
    inner = count == 2
    return edges[inner], face[start[inner]], face[start[inner] + 1]


def _steps(merged: Mesh, of_patch: Bools, rim: Ints, radius_mm: float) -> Floats:
    """Signed step in height at those rim vertices that have enough of both sides around them."""
    vertices = merged.vertices
    side = np.zeros((len(vertices), 2), bool)
    for k in (0, 1):
        side[merged.faces[of_patch == bool(k)].ravel(), k] = True
    one_side = side[:, 0] != side[:, 1]
    tree, known = cKDTree(vertices[one_side]), np.flatnonzero(one_side)
    normals = vertex_normals(vertices, merged.faces)
    steps = []
    for at, found in zip(rim, tree.query_ball_point(vertices[rim], radius_mm), strict=True):
        around = known[found]
        on_patch = side[around, 1]
        if min(on_patch.sum(), (~on_patch).sum()) >= MIN_SIDE_POINTS:
            steps.append(_step_height(vertices[around] - vertices[at], normals[at], on_patch))
    return np.array(steps)


def _step_height(offsets: Floats, normal: Floats, on_patch: Bools) -> float:
    """Step along the normal between the two sides of a rim vertex, from the offsets (N, 3) of those around it."""
    x_axis = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    x_axis /= np.linalg.norm(x_axis)
    x, y, height = offsets @ x_axis, offsets @ np.cross(normal, x_axis), offsets @ normal
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, on_patch.astype(float)], axis=1)
    return float(np.linalg.lstsq(terms, height, rcond=None)[0][-1])
