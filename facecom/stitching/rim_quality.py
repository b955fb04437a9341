"""How well a patch meets the scan: angles over the rim, shape of its triangles, self-intersections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.face_adjacency import faces_at_edges
from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_normals, unique_edges

RINGS = 2
"""Rings of the scan around the patch whose angles are compared with those over the rim."""


@dataclass(frozen=True)
class RimQuality:
    """Quality of a stitched patch; NaN where there is nothing to measure.

    Parameters
    ----------
    rim_angle_deg : float, median angle between the two faces of a rim edge
    scan_angle_deg : float, the same inside the scan, near its rims
    patch_angle_deg : float, the same inside the patch
    residual_mm : float, median distance of the rim to the face surface
    smallest_angle_deg : float, 99 % of the patch's triangles have no smaller angle
    self_intersecting_edges : int, edges of the patch that pierce another of its triangles
    nonmanifold_edges : int, edges of new faces that more than two faces use
    """

    rim_angle_deg: float
    scan_angle_deg: float
    patch_angle_deg: float
    residual_mm: float
    smallest_angle_deg: float
    self_intersecting_edges: int
    nonmanifold_edges: int


def rim_quality(merged: Mesh, scan_faces: int, *, on_face: Bools, residual: Floats) -> RimQuality:
    """Measure a merged mesh whose first `scan_faces` faces are the scan's.

    Parameters
    ----------
    merged : Mesh
    scan_faces : int
    on_face : (M,) bool, rim vertices whose edges count for `rim_angle_deg`; the rims of deep caps do not
    residual : (R,) float, mm, distance of the stitched rim vertices to the face surface
    """
    patch = merged.faces[scan_faces:]
    if not len(patch):
        return RimQuality(np.nan, np.nan, np.nan, np.nan, np.nan, 0, 0)
    chosen = _faces_near(merged, patch)
    part = Mesh(merged.vertices, merged.faces[chosen])
    edges, edge_of, used = unique_edges(part.faces)
    patch_faces = np.bincount(edge_of, np.tile(chosen >= scan_faces, 3), minlength=len(edges))
    # of the faces at an edge, how many are the patch's; rim edges of deep caps count nowhere
    kind = np.where((patch_faces == 1) & ~on_face[edges].all(1), -1, patch_faces)[used == 2]
    angle = _dihedral_angles(part, edge_of, used == 2)
    scan_angle, rim_angle, patch_angle = (_median(angle[kind == k]) for k in range(3))
    return RimQuality(
        rim_angle,
        scan_angle,
        patch_angle,
        _median(residual),
        float(np.percentile(smallest_angles(merged.vertices, patch), 1)),
        len(first_intersections(Mesh(merged.vertices, patch))[0]),
        int(((used > 2) & (patch_faces > 0)).sum()),
    )


def _faces_near(merged: Mesh, patch: Ints) -> Ints:
    """Faces within `RINGS` rings of the patch, itself included."""
    near = np.zeros(len(merged.vertices), bool)
    near[patch.ravel()] = True
    for _ in range(RINGS):
        near[merged.faces[near[merged.faces].any(1)].ravel()] = True
    return np.flatnonzero(near[merged.faces].any(1))


def _dihedral_angles(mesh: Mesh, edge_of: Ints, inner: Bools) -> Floats:
    """Angle in degrees between the normals of the two faces of each inner edge."""
    one, two = (faces_at_edges(edge_of, inner) % len(mesh.faces)).T
    normals = face_normals(mesh)
    cosine = np.einsum("ed,ed->e", normals[one], normals[two])
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def smallest_angles(vertices: Floats, faces: Ints) -> Floats:
    """Smallest angle of each triangle, (F,), degrees.

    Examples
    --------
    >>> smallest_angles(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])).round(6)
    array([45.])
    """
    angles = []
    for k in range(3):
        u = vertices[faces[:, (k + 1) % 3]] - vertices[faces[:, k]]
        v = vertices[faces[:, (k + 2) % 3]] - vertices[faces[:, k]]
        angles.append(np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), np.einsum("fd,fd->f", u, v)))
    return np.degrees(np.min(angles, axis=0))
