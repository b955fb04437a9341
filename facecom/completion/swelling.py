"""Whether the skin beside a defect is swollen: it stands up from a face that was fitted without it."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.completion.types import CompletionSettings, Scan
from facecom.fitting.defect_settings import SwellingSettings
from facecom.fitting.types import ShapeModel
from facecom.geometry.closest_points import Surface, height_over
from facecom.geometry.mesh import Bools, Floats, Mesh
from facecom.geometry.transform import Similarity
from facecom.model.template import SHAPE_LEVEL


def distance_to_unbelieved(scan: Scan, settings: CompletionSettings) -> Floats:
    """Distance of each triangle (F,) to the defect and to what the caller doubts, mm; infinite without either.

    The strip about a defect that is doubted because of it is no border of its own.
    """
    mesh, unit = scan.mesh, scan.mm_per_unit
    centres = mesh.vertices[mesh.faces].mean(axis=1)
    distance = np.full(len(centres), np.inf)
    if len(scan.defect.vertices):
        distance = cKDTree(scan.defect.vertices).query(centres)[0] * unit
    own = scan.doubted & (distance > max(settings.doubted_rim_mm, settings.found_rim_mm))
    if own.any():
        distance = np.minimum(distance, cKDTree(mesh.vertices[np.unique(mesh.faces[own])]).query(centres)[0] * unit)
    return distance


def swollen_strip(
    scan: Scan, model: ShapeModel, code: Floats, *, pose: Similarity, distance: Floats, settings: SwellingSettings
) -> Bools:
    """Triangles (F,) beside a defect that swelling may have moved.

    Parameters
    ----------
    code, pose : of a fit that went without the strip of `unseen_mm`; scan, mm -> face frame
    distance : (F,) of each triangle to the defect, mm
    """
    mesh, out = scan.mm.mesh, np.zeros(len(distance), bool)
    strip = np.flatnonzero(distance < settings.doubted_mm)
    centres = pose.apply(mesh.vertices[mesh.faces[strip]].mean(axis=1))
    face = Surface(Mesh(model.decode(code, level=SHAPE_LEVEL), model.faces(SHAPE_LEVEL)))
    height = height_over(centres, face.closest(centres), face=face.mesh)
    border = (distance[strip] < settings.border_mm) & (np.abs(height) < settings.off_face_mm)
    if not border.any():
        return out
    raised, sunken = (_raised_arcs(centres[border], side * height[border], settings) for side in (1.0, -1.0))
    out[strip] = raised.mean() - sunken.mean() > settings.least_share
    return out


def _raised_arcs(places: Floats, height: Floats, settings: SwellingSettings) -> Bools:
    """About which places (N, 3) of a border its heights (N,) are up, rather than up and down."""
    near = cKDTree(places).query_ball_point(places, settings.arc_mm)
    mean = np.array([height[rows].mean() for rows in near])
    spread = np.array([height[rows].std() for rows in near])
    return np.asarray((mean > settings.least_mm) & (mean > settings.least_deviations * spread))
