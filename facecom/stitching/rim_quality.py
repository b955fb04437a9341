"""How well a patch meets the scan: angles over the rim, shape of its triangles, crossings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_normals, unique_edges


@dataclass(frozen=True)
class RimQuality:
    """Figures of a join.

    rim_angle_deg : median angle between the two faces of a rim edge
    scan_angle_deg : the same inside the scan, near its rims
    patch_angle_deg : the same inside the patch
    gap_mm : median distance of the rim to the face surface
    smallest_angle_deg : 99 % of the patch's triangles have no smaller angle
    crossing_edges : edges of the patch that pierce another of its triangles
    nonmanifold_edges : edges of new faces that more than two faces use

    NaN where there is nothing to measure.
    """

    rim_angle_deg: float
    scan_angle_deg: float
    patch_angle_deg: float
    gap_mm: float
    smallest_angle_deg: float
    crossing_edges: int
    nonmanifold_edges: int


def rim_quality(merged: Mesh, scan_faces: int, *, on_face: Bools, gap: Floats) -> RimQuality:
    """Measure a merged mesh whose first `scan_faces` faces are the scan's.

    Parameters
    ----------
    merged : Mesh
    scan_faces : int
    on_face : (M,) bool, rim vertices whose edges count for `rim_angle_deg`; the rims of deep caps do not
    gap : (R,) float, distance of the stitched rim vertices to the face surface, mm
    """
    patch = merged.faces[scan_faces:]
    if not len(patch):
        nothing = float("nan")
        return RimQuality(nothing, nothing, nothing, nothing, nothing, 0, 0)
    new = np.zeros(len(merged.vertices), bool)
    new[patch.ravel()] = True
    near = new.copy()
    for _ in range(2):
        near[merged.faces[near[merged.faces].any(1)].ravel()] = True
    chosen = np.flatnonzero(near[merged.faces].any(1))
    part = Mesh(merged.vertices, merged.faces[chosen])
    edges, edge_of, used = unique_edges(part.faces)
    made = chosen >= scan_faces
    makers = np.bincount(edge_of, np.tile(made, 3), minlength=len(edges))
    angle, pairs_edge = _angles(part, edge_of, used)
    kind = np.where((makers == 1) & ~on_face[edges].all(1), -1, makers)[pairs_edge]
    median = lambda k: float(np.median(angle[kind == k])) if (kind == k).any() else float("nan")  # noqa: E731
    smallest = float(np.percentile(smallest_angles(merged.vertices, patch), 1))
    crossing = len(first_intersections(Mesh(merged.vertices, patch))[0])
    bad = int(((used > 2) & (makers > 0)).sum())
    return RimQuality(
        median(1), median(0), median(2), float(np.median(gap)) if len(gap) else float("nan"), smallest, crossing, bad
    )


def _angles(mesh: Mesh, edge_of: Ints, used: Ints) -> tuple[Floats, Ints]:
    """Angle in degrees between the two faces of each inner edge, and the edge."""
    order = np.argsort(edge_of, kind="stable")
    owner = np.tile(np.arange(len(mesh.faces)), 3)[order]
    inner = used[edge_of[order]] == 2
    one, two = owner[inner].reshape(-1, 2).T
    normals = face_normals(mesh)
    cosine = np.einsum("ed,ed->e", normals[one], normals[two])
    return np.degrees(np.arccos(np.clip(cosine, -1, 1))), edge_of[order][inner][::2]


def smallest_angles(vertices: Floats, faces: Ints) -> Floats:
    """Smallest angle of each triangle, (F,), degrees."""
    angles = []
    for k in range(3):
        u = vertices[faces[:, (k + 1) % 3]] - vertices[faces[:, k]]
        v = vertices[faces[:, (k + 2) % 3]] - vertices[faces[:, k]]
        angles.append(np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), np.einsum("fd,fd->f", u, v)))
    return np.degrees(np.min(angles, axis=0))
