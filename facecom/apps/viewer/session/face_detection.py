"""Where the face lies in a scan, what a rough fit finds missing, and what the search takes for a defect."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.apps.viewer.session.job_results import FaceDetection
from facecom.completion import COMPLETION, CompletionState, Progress, Scan, known, stages
from facecom.completion.alignment import face_mask
from facecom.completion.defect_stages import find_defects
from facecom.errors import FacecomError
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Mesh, joined, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.geometry.units import MM_PER_UNIT
from facecom.model.template import SHAPE_LEVEL

MISSING_DISTANCE_MM, MAX_NORMAL_ANGLE_RAD = 6.0, 1.1
"""A vertex of the fit without a scan this near and with such a normal is missing: twice the error of the rough fit."""
BACKWARDS = (0.0, 0.0, -1.0)
"""Into the head, in the face frame."""


def find_face(state: CompletionState, *, progress: Progress, reach_mm: float = MISSING_DISTANCE_MM) -> FaceDetection:
    """The pose of the face, the part of a rough fit that has no scan within reach, and the defect that is found.

    Where the whole fit fails, as it may while a wound is not marked yet, the rough one stands and no defect is found.

    Parameters
    ----------
    state : with the scan as it was read, the model, and what `complete` is told
    reach_mm : a vertex without a scan this near is missing

    Raises
    ------
    ScanError, AlignmentError
        As `complete` does.
    """
    raw = known(state.raw, "read")
    done = _DETECTION.run(state, progress=progress)
    scan, start = known(done.scan, "clean"), known(done.hypothesis, "align")
    code, pose = (start.code, start.pose) if done.fit is None else (done.fit.code, done.fit.pose)
    vertices = known(done.model, "load model").decode(code, level=SHAPE_LEVEL)
    return FaceDetection(
        pose=pose @ Similarity(scale=scan.mm_per_unit),
        missing=_missing(done, vertices, pose, reach_mm),
        found=vertices_within(raw, scan.defect, healthy=scan.mesh) if done.found_mm2 else None,
        inside_out=scan.inside_out,
        unit=scan.unit if scan.unit in MM_PER_UNIT else f"{scan.mm_per_unit:g} mm per unit",
        warnings=done.warnings,
    )


def _fit_where_it_can(state: CompletionState) -> CompletionState:
    try:
        return stages.fit(state)
    except FacecomError:
        return state


def _find_where_fitted(state: CompletionState) -> CompletionState:
    try:
        return state if state.fit is None else find_defects(state)
    except FacecomError:
        return state


_DETECTION = (
    COMPLETION.without("read", "load model")
    .up_to("find defects")
    .replace_stage("fit", _fit_where_it_can)
    .replace_stage("find defects", _find_where_fitted)
)


def _missing(state: CompletionState, vertices: Floats, pose: Similarity, reach_mm: float) -> Mesh:
    """The part of a fitted face without a scan within reach; over a defect that the scan shows there is none."""
    scan, template = known(state.scan, "clean"), state.template
    faces = template.faces[SHAPE_LEVEL]
    normals = vertex_normals(vertices, faces)
    matches = scan.for_fit.match(
        vertices,
        normals,
        pose=pose,
        reach_mm=reach_mm,
        normal_limit_rad=MAX_NORMAL_ANGLE_RAD,
    )
    mask = face_mask(template, level=SHAPE_LEVEL, radius_mm=state.settings.inner_radius_mm)
    is_missing = ~matches.valid & mask & ~template.region_mask("nostrils", SHAPE_LEVEL)
    is_missing &= ~_over_defect(scan, vertices, normals, pose)
    return Mesh(vertices, faces).submesh(np.asarray(is_missing[faces].all(axis=1)))[0]


def _over_defect(scan: Scan, vertices: Floats, normals: Floats, pose: Similarity) -> Bools:
    """Which vertices (N, 3) of a face, face frame, would hide the defect: it is painted on, and must be seen.

    Those near to it, or to which it is the nearest part of the scan, and those behind which it lies, straight back or
    along the normal.
    """
    if not len(scan.defect.faces):
        return np.zeros(len(vertices), bool)
    healthy, to_scan = Mesh(scan.mm.mesh.vertices, scan.mm.mesh.faces), pose.inverse()
    bed, count = Mesh(scan.defect_mm.vertices, scan.defect.faces), len(healthy.faces)
    surface, points = Surface(joined(healthy, bed)), to_scan.apply(vertices)
    over = surface.closest(points).faces >= count
    over |= Surface(bed).closest(points).distance < MISSING_DISTANCE_MM
    for inwards in (-normals, np.broadcast_to(BACKWARDS, normals.shape)):
        over |= surface.cast(points, to_scan.rotate(inwards)).faces >= count
    return np.asarray(over)


def vertices_within(raw: Mesh, part: Mesh, *, healthy: Mesh) -> Bools:
    """Vertices (V,) of a scan that lie in a part of it and not on its border to the rest; cleaning moves none of them.

    Examples
    --------
    >>> strip = Mesh([[x, y, 0] for x in range(3) for y in (0, 1)], [[0, 2, 1], [1, 2, 3], [2, 4, 3], [3, 4, 5]])
    >>> left, right = (strip.submesh(np.array(faces, bool))[0] for faces in ([1, 1, 0, 0], [0, 0, 1, 1]))
    >>> vertices_within(strip, left, healthy=right).tolist()
    [True, True, False, False, False, False]
    """
    return _at(raw, part) & ~_at(raw, healthy)


def _at(raw: Mesh, part: Mesh) -> Bools:
    """Vertices (V,) at exactly the place of one of a part."""
    finite = np.asarray(np.isfinite(raw.vertices).all(axis=1))
    out = np.zeros(len(finite), bool)
    if len(part.vertices):
        out[finite] = cKDTree(part.vertices).query(raw.vertices[finite])[0] == 0.0
    return out
