"""Stitch the completed face into the holes of a scan; the scan's own vertices and triangles stay as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import (
    Bools,
    Floats,
    Ints,
    Mesh,
    edge_loops,
    face_cross,
    read_only,
    vertex_normals,
)
from facecom.stitching.boundary_loops import BoundaryLoops, map_loops_to_uv, on_border
from facecom.stitching.hole_repair import cap_remaining_holes, open_loops, repair_self_intersections
from facecom.stitching.patch_triangulation import Filling, face_plane, fill_plane, rim_gaps
from facecom.stitching.rim_quality import RimQuality, rim_quality


@dataclass(frozen=True)
class StitchSettings:
    """Lengths that shape the patch.

    falloff_mm : how far the gap between rim and face surface is carried into the patch.
    grading : change of the patch's edge length per mm on the way from the scan's to the template's.
    reach_mm : a scan border farther from the face than this belongs to something else.
    depth_mm : a scan border farther behind the face than this is the inside of something (the mouth, a nostril).
    cap_mm : longest border of a small deep opening (a nostril, the mouth) that is closed on the spot.
    sew_mm : widest gap between two deep borders that run beside each other all the way round and are sewn together.
    """

    falloff_mm: float = 4.0
    grading: float = 0.35
    reach_mm: float = 25.0
    depth_mm: float = 3.0
    cap_mm: float = 60.0
    sew_mm: float = 1.0


@dataclass(frozen=True, eq=False)
class Stitched:
    """The scan with its holes filled.

    Parameters
    ----------
    face : Mesh
        The completed face that they were filled from.
    merged : Mesh
        The scan's vertices and faces first, bit for bit, then what was made.
    patch : Mesh
        The new faces alone.
    patch_vertices : (P,) int, index in `merged` of each patch vertex
    added : (M,) bool, vertices of `merged` that are not the scan's
    weights : (M - S, V) sparse
        Each made vertex as a mean of face vertices: carries any value of the face, its offset to the rim aside.
    n_loops_filled : int, borders of the scan that are borders no more
    n_loops_capped : int, those of them that were closed one by one because the plane could not hold them
    quality : RimQuality
    warnings : tuple of str
    """

    face: Mesh
    merged: Mesh
    patch: Mesh
    patch_vertices: Ints
    added: Bools
    weights: sp.csr_matrix
    n_loops_filled: int
    n_loops_capped: int
    quality: RimQuality
    warnings: tuple[str, ...]


def stitch(
    scan: Mesh, face: Mesh, *, covered: Floats | None = None, settings: StitchSettings = StitchSettings()
) -> Stitched:
    """Fill what `scan` lacks of `face`.

    Parameters
    ----------
    scan : Mesh, mm, face frame, cleaned; any number of pieces
    face : Mesh, mm
        The completed face: a disc with `uv` without flips, that passes through the scan where it was seen.
    covered : (V,) float in 0..1, optional
        How surely the scan has a surface at each face vertex; measured from closest points when not given.
    settings : JoinSettings

    Raises
    ------
    ValueError
        When a mesh has no faces, the face no uv, or the face is not a disc.

    Examples
    --------
    >>> x, y = np.meshgrid(np.arange(9.0), np.arange(9.0))
    >>> points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    >>> k = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    >>> faces = np.concatenate([np.stack([k, k + 1, k + 10], 1), np.stack([k, k + 10, k + 9], 1)])
    >>> face = Mesh(points, faces, uv=points[:, :2])
    >>> holed = Mesh(points, faces[~np.isin(faces, 40).any(1)])
    >>> join(holed, face).n_loops_filled
    1
    """
    if not len(scan.faces):
        raise ValueError("the scan to join has no triangles")
    plane, border = face_plane(face)
    surface = Surface(face)
    rims = map_loops_to_uv(
        scan,
        face,
        plane=plane,
        surface=surface,
        reach_mm=settings.reach_mm,
        depth_mm=settings.depth_mm,
        sew_mm=settings.sew_mm,
    )
    if covered is None:
        covered = measure_coverage(scan, face, border=rims.vertices[rims.edges])
    evidence = 1.0 - np.asarray(covered, float)
    fixed = _scan_edges(scan, rims)
    filling = fill_plane(
        face,
        rims,
        plane=plane,
        border=border,
        evidence=evidence,
        grading=settings.grading,
        falloff_mm=settings.falloff_mm,
        fixed=fixed,
    )
    filling = replace(filling, triangles=np.concatenate([rims.sewn, filling.triangles]))
    filling, capped = cap_remaining_holes(
        filling,
        face=face,
        surface=surface,
        rims=rims,
        plane=plane,
        fixed=fixed,
        falloff_mm=settings.falloff_mm,
        cap_mm=settings.cap_mm,
    )
    return _joined(scan, face, rims, repair_self_intersections(filling, rims, fixed), capped)


def measure_coverage(scan: Mesh, face: Mesh, *, border: Ints, reach_mm: float = 30.0) -> Floats:
    """Where the scan has a surface over the face, (V,) in 0 or 1: the closest scan point is no border of the scan.

    The two surfaces must look the same way there and be no farther apart than `reach_mm` (hair over a forehead is, the
    bridge of the nose seen from an unseen cheek is not). `border` holds the scan's border edges, (B, 2).
    """
    found = Surface(scan).closest(face.vertices)
    own = vertex_normals(face.vertices, face.faces)
    agree = np.einsum("vd,vd->v", own, face_cross(scan.vertices, scan.faces[found.faces])) > 0
    return (~on_border(scan, found, border) & agree & (found.distance < reach_mm)).astype(float)


def _scan_edges(scan: Mesh, rims: BoundaryLoops) -> Ints:
    """Edges of the scan between two of its border vertices, as pairs of rim positions, (K, 2)."""
    at = np.full(len(scan.vertices), -1)
    at[rims.vertices] = np.arange(len(rims.vertices))
    corners = at[scan.faces[(at[scan.faces] >= 0).sum(1) >= 2]]
    ends = corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    return ends[(ends >= 0).all(1)]


def _joined(scan: Mesh, face: Mesh, rims: BoundaryLoops, filling: Filling, capped: int) -> Stitched:
    scan_count, rim_count = len(scan.vertices), len(rims.vertices)
    ids = np.concatenate([rims.vertices, scan_count + np.arange(len(filling.points))])
    new_faces = ids[filling.triangles]
    colors = None if scan.colors is None else np.concatenate([scan.colors, _colors(scan.colors, scan, face, filling)])
    merged = Mesh(
        np.concatenate([scan.vertices, filling.points]), np.concatenate([scan.faces, new_faces]), colors=colors
    )
    fresh = np.arange(len(merged.faces)) >= len(scan.faces)
    patch, patch_vertices = merged.submesh(fresh)
    stitched = np.unique(filling.triangles[filling.triangles < rim_count])
    on_face = np.zeros(len(merged.vertices), bool)
    on_face[rims.vertices[rims.inside]] = True
    quality = rim_quality(merged, len(scan.faces), on_face=on_face, gap=rim_gaps(rims)[stitched[rims.inside[stitched]]])
    left = {v for loop in open_loops(filling, rims) for v in loop.tolist()}
    filled = sum(not left.intersection(loop.tolist()) for loop in edge_loops(rims.edges))
    added = np.arange(len(merged.vertices)) >= scan_count
    return Stitched(
        face,
        merged,
        patch,
        read_only(patch_vertices, np.int64),
        read_only(added, bool),
        filling.weights,
        filled,
        capped,
        quality,
        _warnings(quality),
    )


def _colors(own: Floats, scan: Mesh, face: Mesh, filling: Filling) -> Floats:
    """Colours of new vertices: the face's own where it has any, else that of the closest scan vertex."""
    if face.colors is not None:
        return filling.weights @ face.colors
    return own[cKDTree(scan.vertices).query(filling.points)[1]]


def _warnings(quality: RimQuality) -> tuple[str, ...]:
    out = []
    if quality.crossing_edges:
        out.append(f"the patch crosses itself at {quality.crossing_edges} edges")
    if quality.nonmanifold_edges:
        out.append(f"{quality.nonmanifold_edges} edges of the patch bear more than two faces")
    return tuple(out)
