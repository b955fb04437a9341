"""The scan as it is painted on: what was found, what is marked, and what a completion will make of that."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.apps.viewer.scene.painted_mesh import PaintedMesh, PaintedScene, overlay
from facecom.apps.viewer.session.session import Session
from facecom.drawing import colors
from facecom.geometry.mesh import Mesh

MISSING_COLOR = colors.MODEL
FOUND_COLOR = (0.78, 0.16, 0.12)
MARKED_COLOR = (0.56, 0.20, 0.72)
DOUBTED_COLOR = (0.05, 0.52, 0.48)
LEFT_OUT_COLOR, DOUBTED_STRIP_COLOR = (0.84, 0.72, 0.93), (0.62, 0.85, 0.82)
"""Lighter shades of the colours of marks, for what a completion makes of them."""
KEPT_OPEN_COLOR = (0.45, 0.66, 0.86)
APPLIED_OFFSET_MM = 0.2
"""What a completion makes of marks lies above the scan and below the marks."""
LEGEND = {
    "missing": "**orange** found missing",
    "found": "**red** found to be no face",
    "marked": "**purple** marked as missing",
    "doubted": "**teal** marked as doubted",
    "left out": "**pale purple** left out, to its border",
    "doubted strip": "**pale teal** kept and not believed",
}
"""What each of the meshes is, for those that are shown."""
KEPT_OPEN_LEGEND = "**blue** to stay open"


def scan_scene(session: Session) -> PaintedScene:
    """The scan with what was found missing, what was found to be no face, the marks, and what they come to."""
    if session.scan is None:
        return PaintedScene({}, "")
    whole, marks = paintable_mesh(session), session.marks
    is_scan = np.arange(len(whole.mesh.vertices)) < len(session.scan.vertices)
    scan_faces = np.asarray(is_scan[whole.mesh.faces].all(axis=1))
    scan = whole.submesh(scan_faces)
    meshes = {"scan": scan}
    if not scan_faces.all():
        meshes["missing"] = whole.submesh(~scan_faces)
    in_region = np.zeros(np.count_nonzero(~is_scan), bool)
    for name, marked, color in (
        ("found", marks.found, FOUND_COLOR),
        ("marked", marks.missing, MARKED_COLOR),
        ("doubted", marks.doubted, DOUBTED_COLOR),
    ):
        shown = overlay(whole, np.append(marked, in_region), color)
        if shown is not None:
            meshes[name] = shown
    meshes |= _applied_meshes(session, scan)
    words = ["**grey** scan"] if session.scan.colors is None else []
    words += [text for name, text in LEGEND.items() if name in meshes]
    return PaintedScene(meshes, " · ".join(words + ([KEPT_OPEN_LEGEND] if marks.kept_open.any() else [])))


def _applied_meshes(session: Session, scan: PaintedMesh) -> dict[str, PaintedMesh]:
    """What a completion leaves out and doubts, a little above the scan."""
    applied = session.applied
    if applied is None:
        return {}
    out, tree = {}, cKDTree(scan.mesh.vertices)
    for name, part, color in (
        ("left out", applied.left_out, LEFT_OUT_COLOR),
        ("doubted strip", applied.doubted, DOUBTED_STRIP_COLOR),
    ):
        if len(part.faces):
            mesh = part.with_vertices(session.to_display.apply(part.vertices))
            normals = scan.normals[tree.query(mesh.vertices)[1]]
            colored = PaintedMesh(mesh, np.broadcast_to(color, mesh.vertices.shape), normals)
            out[name] = colored.offset(APPLIED_OFFSET_MM)
    return out


def paintable_mesh(session: Session) -> PaintedMesh:
    """The mesh that the brush paints on: the scan's vertices in their order, then those of the missing region."""
    mesh = displayed_scan(session)
    scan_colors = np.broadcast_to(colors.OBSERVED, mesh.vertices.shape) if mesh.colors is None else mesh.colors
    scan = PaintedMesh.of(mesh, np.nan_to_num(scan_colors))
    missing = session.displayed_region
    if missing is None:
        return scan
    region_colors = np.where(session.marks.kept_open[:, None], KEPT_OPEN_COLOR, MISSING_COLOR)
    region = PaintedMesh.of(missing, region_colors)
    faces = np.concatenate([mesh.faces, region.mesh.faces + len(mesh.vertices)])
    both = Mesh(np.concatenate([mesh.vertices, region.mesh.vertices]), faces)
    vertex_colors = np.concatenate([scan.colors, region.colors])
    return PaintedMesh(both, vertex_colors, np.concatenate([scan.normals, region.normals]))


def displayed_scan(session: Session) -> Mesh:
    """The scan in the displayed frame; vertices that are not finite lie at its centre, and no face has one.

    Its triangles face outwards once the face is found.

    Raises
    ------
    ValueError
        When there is no scan.
    """
    if session.scan is None:
        raise ValueError("there is no scan yet; upload one")
    finite = np.asarray(np.isfinite(session.scan.vertices).all(axis=1))
    points = np.where(finite[:, None], session.scan.vertices, session.scan.vertices[finite].mean(axis=0))
    faces = session.scan.faces[finite[session.scan.faces].all(axis=1)]
    if session.detection is not None and session.detection.inside_out:
        faces = faces[:, ::-1]
    return Mesh(session.to_display.apply(points), faces, colors=session.scan.colors)
