"""The face proper in the face frame: what is face, and not scalp, ear or neck."""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Bools, Floats
from facecom.model.template import SHAPE_LEVEL, Template

FACE_RADIUS_MM = 90.0
"""Radius within which a vertex of the template counts as face when models are trained."""
FACE_MIDDLE_Y_MM = 10.0
"""Height of the axis, parallel to z, about which the face is round."""


def face_mask(points: Floats, *, radius_mm: float) -> Bools:
    """Points (N, 3), mm, face frame, within `radius_mm` of the face's axis and no deeper behind the nose tip, (N,).

    Examples
    --------
    >>> face_mask(np.array([[0.0, 10.0, 0.0], [0.0, 100.0, 0.0], [0.0, 0.0, -90.0]]), radius_mm=80.0).tolist()
    [True, False, False]
    """
    x, y, z = points.T
    return (np.hypot(x, y - FACE_MIDDLE_Y_MM) < radius_mm) & (z > -radius_mm)


def face_weights(template: Template, *, outer: float) -> Floats:
    """Weight of each vertex of `SHAPE_LEVEL`, (V2,): `outer` beyond the face proper, of 1 on it; 1 on average.

    Where the template's vertices are dense, at eyes, nose and lips, the surface so counts more.
    """
    in_face = face_mask(template.vertices[: template.counts[SHAPE_LEVEL]], radius_mm=FACE_RADIUS_MM)
    weights = np.where(in_face, 1.0, outer)
    return weights / weights.mean()
