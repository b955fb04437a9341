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
from facecom.stitching.boundary_loops import BoundaryLoops, map_loops_to_uv, on_boundary_edges
from facecom.stitching.hole_repair import cap_remaining_holes, open_loops, repair_self_intersections
from facecom.stitching.patch_triangulation import Filling, face_uv_mm, rim_residuals, triangulate_patch
from facecom.stitching.rim_quality import RimQuality, rim_quality

COVERAGE_REACH_MM = 30.0
"""Farthest that a scan may be from the face and still cover it: hair over a forehead is within it."""


@dataclass(frozen=True)
class StitchSettings:
    """Lengths that shape the patch."""

    falloff_mm: float = 4.0
    """How far the offset between rim and face surface is blended into the patch."""
    grading: float = 0.35
    """Change of the patch's edge length per mm on the way from the scan's to the template's."""
    reach_mm: float = 25.0
    """A boundary of the scan farther from the face than this belongs to something else."""
    depth_mm: float = 3.0
    """A boundary of the scan farther behind the face than this is the inside of something (the mouth, a nostril)."""
    cap_perimeter_mm: float = 60.0
    """Longest boundary of a small deep opening (a nostril, the mouth) that is capped on the spot."""
    zip_gap_mm: float = 1.0
    """Widest gap between two deep boundaries that run along each other all the way round and are zipped together."""


@dataclass(frozen=True, eq=False)
class Stitched:
    """The scan with its holes filled.

    Parameters
    ----------
    face : Mesh
        The completed face that they were filled from.
    merged : Mesh
        The scan's vertices and faces first, bit for bit, then the new ones.
    patch : Mesh
        The new faces alone.
    patch_vertices : (P,) int, index in `merged` of each patch vertex
    added : (M,) bool, vertices of `merged` that are not the scan's
    weights : (M - S, V) sparse
        Each new vertex as a mean of face vertices: takes any value on the face to it, its offset to the rim aside.
    n_loops_filled : int, boundary loops of the scan that are closed now
    n_loops_capped : int, those of them that were capped one by one because the plane could not hold them
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
    scan: Mesh, face: Mesh, *, coverage: Floats | None = None, settings: StitchSettings = StitchSettings()
) -> Stitched:
    """Fill the holes of `scan` from `face`.

    Parameters
    ----------
    scan : Mesh, mm, face frame, cleaned; any number of pieces
    face : Mesh, mm
        The completed face: a disc with `uv` without flips, that passes through the scan where it was observed.
    coverage : (V,) float in 0..1, optional
        How surely the scan has a surface at each face vertex; found from closest points when not given.
    settings : StitchSettings

    Returns
    -------
    Stitched

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
    >>> stitch(holed, face).n_loops_filled
    1
    """
    if not len(scan.faces):
        raise ValueError("the scan to stitch has no triangles")
    uv_mm, border = face_uv_mm(face)
    surface = Surface(face)
    loops = map_loops_to_uv(
        scan,
        face,
        uv_mm=uv_mm,
        surface=surface,
        reach_mm=settings.reach_mm,
        depth_mm=settings.depth_mm,
        zip_gap_mm=settings.zip_gap_mm,
    )
    if coverage is None:
        coverage = measure_coverage(scan, face, boundary=loops.vertices[loops.edges])
    fixed = _edges_between_boundary_vertices(scan, loops)
    filling = triangulate_patch(
        face,
        loops,
        uv_mm=uv_mm,
        border=border,
        missing_score=1.0 - np.asarray(coverage, float),
        grading=settings.grading,
        falloff_mm=settings.falloff_mm,
        fixed=fixed,
    )
    filling, capped = cap_remaining_holes(
        replace(filling, triangles=np.concatenate([loops.zipped, filling.triangles])),
        face=face,
        surface=surface,
        loops=loops,
        uv_mm=uv_mm,
        fixed=fixed,
        falloff_mm=settings.falloff_mm,
        cap_perimeter_mm=settings.cap_perimeter_mm,
    )
    filling = repair_self_intersections(filling, loops, fixed)
    return _assemble(scan, face, filling, loops=loops, capped=capped)


def measure_coverage(scan: Mesh, face: Mesh, *, boundary: Ints, reach_mm: float = COVERAGE_REACH_MM) -> Floats:
    """Where the scan has a surface over the face, (V,) in 0 or 1: the closest scan point is on no boundary.

    The two surfaces must face the same way there and be no farther apart than `reach_mm` (hair over a forehead is, the
    bridge of the nose seen from a cheek that the scan lacks is not).

    Parameters
    ----------
    scan, face : Mesh, mm
    boundary : (B, 2) int, the scan's boundary edges
    reach_mm : float
    """
    found = Surface(scan).closest(face.vertices)
    own = vertex_normals(face.vertices, face.faces)
    agree = np.einsum("vd,vd->v", own, face_cross(scan.vertices, scan.faces[found.faces])) > 0
    return (~on_boundary_edges(scan, found, boundary) & agree & (found.distance < reach_mm)).astype(float)


def _edges_between_boundary_vertices(scan: Mesh, loops: BoundaryLoops) -> Ints:
    """Edges of the scan between two of its boundary vertices, as positions in `loops.vertices`, (K, 2)."""
    at = np.full(len(scan.vertices), -1)
    at[loops.vertices] = np.arange(len(loops.vertices))
    corners = at[scan.faces[(at[scan.faces] >= 0).sum(1) >= 2]]
    ends = corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    return ends[(ends >= 0).all(1)]


def _assemble(scan: Mesh, face: Mesh, filling: Filling, *, loops: BoundaryLoops, capped: int) -> Stitched:
    """The result: scan and filling as one mesh, its new part alone, and how good that is."""
    merged = _merge(scan, face, filling, loops=loops)
    patch, patch_vertices = merged.submesh(np.arange(len(merged.faces)) >= len(scan.faces))
    still_open = {v for loop in open_loops(filling, loops) for v in loop.tolist()}
    filled = sum(not still_open.intersection(loop.tolist()) for loop in edge_loops(loops.edges))
    quality = _quality(merged, len(scan.faces), filling, loops=loops)
    return Stitched(
        face,
        merged,
        patch,
        read_only(patch_vertices, np.int64),
        read_only(np.arange(len(merged.vertices)) >= len(scan.vertices), bool),
        filling.weights,
        filled,
        capped,
        quality,
        _warnings(quality),
    )


def _merge(scan: Mesh, face: Mesh, filling: Filling, *, loops: BoundaryLoops) -> Mesh:
    """Scan first, then the filling, with colours where the scan has them."""
    ids = np.concatenate([loops.vertices, len(scan.vertices) + np.arange(len(filling.points))])
    colors = None
    if scan.colors is not None:
        colors = np.concatenate([scan.colors, _colors(scan.colors, scan, face, filling)])
    return Mesh(
        np.concatenate([scan.vertices, filling.points]),
        np.concatenate([scan.faces, ids[filling.triangles]]),
        colors=colors,
    )


def _colors(own: Floats, scan: Mesh, face: Mesh, filling: Filling) -> Floats:
    """Colours of new vertices: the face's own where it has any, else that of the closest scan vertex."""
    if face.colors is not None:
        return filling.weights @ face.colors
    return own[cKDTree(scan.vertices).query(filling.points)[1]]


def _quality(merged: Mesh, scan_faces: int, filling: Filling, *, loops: BoundaryLoops) -> RimQuality:
    stitched = np.unique(filling.triangles[filling.triangles < len(loops.vertices)])
    on_face = np.zeros(len(merged.vertices), bool)
    on_face[loops.vertices[loops.on_face]] = True
    residual = rim_residuals(loops)[stitched[loops.on_face[stitched]]]
    return rim_quality(merged, scan_faces, on_face=on_face, residual=residual)


def _warnings(quality: RimQuality) -> tuple[str, ...]:
    out = []
    if quality.self_intersecting_edges:
        out.append(f"the patch intersects itself at {quality.self_intersecting_edges} edges")
    if quality.nonmanifold_edges:
        out.append(f"{quality.nonmanifold_edges} edges of the patch bear more than two faces")
    return tuple(out)
