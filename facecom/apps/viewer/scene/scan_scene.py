"""The scan as it is painted on: what was found, what is marked, and what a completion will make of that."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.apps.viewer.scene.painted_mesh import MARK_OFFSET_MM, PaintedMesh, PaintedScene, overlay
from facecom.apps.viewer.session.session import Session
from facecom.drawing import colors
from facecom.drawing.colors import RGB
from facecom.geometry.mesh import Bools, Mesh

MISSING_COLOR = colors.MODEL
FOUND_COLOR = (0.78, 0.16, 0.12)
MARKED_COLOR = (0.56, 0.20, 0.72)
DOUBTED_COLOR = (0.05, 0.52, 0.48)
LEFT_OUT_COLOR, DOUBTED_STRIP_COLOR = (0.80, 0.50, 0.95), (0.35, 0.82, 0.74)
"""Lighter shades of the colours of marks, for what a completion makes of them."""
KEPT_OPEN_COLOR = (0.45, 0.66, 0.86)
LEGEND = {
    "missing": "**orange** found missing",
    "found": "**red** found to be no face",
    "marked": "**purple** marked as missing",
    "doubted": "**teal** marked as doubted",
    "left out": "**light purple** left out besides",
    "doubted strip": "**light teal** doubted besides",
}
"""What each of the meshes is, for those that are shown."""
KEPT_OPEN_LEGEND = "**blue** to stay open"


def scan_scene(session: Session) -> PaintedScene:
    """The scan with what was found missing, what was found to be no face, the marks, and what they come to."""
    if session.scan is None:
        return PaintedScene({}, "")
    whole, marks = paintable_mesh(session), session.marks
    count = len(session.scan.vertices)
    is_scan = np.arange(len(whole.mesh.vertices)) < count
    scan_faces = np.asarray(is_scan[whole.mesh.faces].all(axis=1))
    scan = PaintedMesh(
        Mesh(whole.mesh.vertices[:count], whole.mesh.faces[scan_faces]), whole.colors[:count], whole.normals[:count]
    )
    meshes = {"scan": scan.submesh(np.ones(len(scan.mesh.faces), bool))}
    if not scan_faces.all():
        meshes["missing"] = whole.submesh(~scan_faces)
    meshes |= _marked_meshes(session, scan)
    words = ["**grey** scan"] if session.scan.colors is None else []
    words += [text for name, text in LEGEND.items() if _is_shown(name, session, meshes)]
    return PaintedScene(meshes, " · ".join(words + ([KEPT_OPEN_LEGEND] if marks.kept_open.any() else [])))


def _is_shown(name: str, session: Session, meshes: dict[str, PaintedMesh]) -> bool:
    marks = session.marks
    painted = {"found": marks.found, "marked": marks.missing, "doubted": marks.doubted}
    return bool(painted[name].any()) if name in painted else name in meshes


def _marked_meshes(session: Session, scan: PaintedMesh) -> dict[str, PaintedMesh]:
    """The marks as they were painted, or in their place what a completion makes of them, once that is known."""
    marks, applied = session.marks, session.applied
    kinds = {
        "left out": ({"found": (marks.found, FOUND_COLOR), "marked": (marks.missing, MARKED_COLOR)}, LEFT_OUT_COLOR),
        "doubted strip": ({"doubted": (marks.doubted, DOUBTED_COLOR)}, DOUBTED_STRIP_COLOR),
    }
    found = {} if applied is None else {"left out": applied.left_out, "doubted strip": applied.doubted}
    meshes: dict[str, PaintedMesh | None] = {}
    for name, (painted, lighter) in kinds.items():
        part = found.get(name)
        if part is not None and len(part.faces):
            meshes[name] = _applied(session, scan, part, tuple(painted.values()), lighter=lighter)
        else:
            meshes |= {kind: overlay(scan, marked, color) for kind, (marked, color) in painted.items()}
    return {name: mesh for name, mesh in meshes.items() if mesh is not None}


def _applied(
    session: Session, scan: PaintedMesh, part: Mesh, painted: tuple[tuple[Bools, RGB], ...], *, lighter: RGB
) -> PaintedMesh:
    """A part of the scan a little above it: in a lighter colour where it was not painted."""
    mesh = part.with_vertices(session.to_display.apply(part.vertices))
    at = cKDTree(scan.mesh.vertices).query(mesh.vertices)[1]
    vertex_colors = np.broadcast_to(lighter, mesh.vertices.shape).copy()
    for marked, color in painted:
        vertex_colors[marked[at]] = color
    return PaintedMesh(mesh, vertex_colors, scan.normals[at]).offset(MARK_OFFSET_MM)


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
