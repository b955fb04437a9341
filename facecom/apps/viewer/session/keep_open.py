"""Keeping a part of the hole open: a completion without that part of its patch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from facecom.completion import Completion
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_edges, boundary_loops
from facecom.provenance import Provenance
from facecom.skin.detail import Detail
from facecom.stitching.stitch import Stitched

KEPT_OPEN_WARNING = "a part of what is missing was left open, as was asked for"
REACH_MM = 15.0
"""Faces of the patch farther than this from the detected missing region belong to another hole."""


def keep_open(completion: Completion, missing: Floats, kept_open: Bools, *, reach_mm: float = REACH_MM) -> Completion:
    """Remove the part of the patch that is to stay open; the completed face does not change.

    Parameters
    ----------
    completion : Completion
    missing : (M, 3) float, points of the missing region, the scan's own frame and unit
    kept_open : (M,) bool, those that are to stay open
    reach_mm : faces of the patch farther than this from all of these points stay

    Returns
    -------
    Completion
    """
    if not kept_open.any():
        return completion
    tree, reach = cKDTree(missing), reach_mm / completion.context.scan.mm_per_unit

    def is_filled(mesh: Mesh, vertices: Floats) -> Bools:
        distance, nearest = tree.query(vertices[mesh.faces].mean(axis=1))
        return ~(kept_open[nearest] & (distance < reach))

    merged = completion.merged
    is_scan = np.arange(len(merged.faces)) < len(completion.scan.faces)
    kept = is_filled(merged, merged.vertices) | is_scan
    if kept.all():
        return completion
    skin = completion.detail
    filled = None if skin is None else is_filled(skin.mesh, skin.mesh.vertices)
    return _reduce_completion(completion, kept, filled)


def _reduce_completion(completion: Completion, kept: Bools, filled: Bools | None) -> Completion:
    """The completion with some of its merged faces (F,), the scan's among them, and of the faces of its detail."""
    context, report = completion.context, completion.report
    used = np.arange(len(completion.merged.vertices)) < len(context.scan.mesh.vertices)
    used[completion.merged.faces[kept]] = True
    stitched = _reduce_stitched(context.stitched, kept, used, context.scan.mesh)
    merged = _submesh(completion.merged, kept, used)
    report = replace(report, holes_filled=stitched.n_loops_filled, warnings=(*report.warnings, KEPT_OPEN_WARNING))
    detail = _reduce_detail(context.detail, filled)
    return replace(
        completion,
        merged=merged,
        patch=_faces_from(merged, len(context.scan.mesh.faces))[0],
        merged_provenance=completion.merged_provenance[used],
        merged_sigma_mm=completion.merged_sigma_mm[used],
        state=replace(context.state, stitched=stitched, report=report, detail=detail),
        report=report,
        detail=_reduce_detail(completion.detail, filled),
    )


def _reduce_stitched(stitched: Stitched, kept: Bools, used: Bools, scan: Mesh) -> Stitched:
    merged = _submesh(stitched.merged, kept, used)
    patch, patch_vertices = _faces_from(merged, len(scan.faces))
    loops = boundary_loops(stitched.merged.faces[: len(scan.faces)])
    open_now, open_before = (_count_open(loops, mesh.faces) for mesh in (merged, stitched.merged))
    return replace(
        stitched,
        merged=merged,
        patch=patch,
        patch_vertices=patch_vertices,
        added=stitched.added[used],
        weights=stitched.weights[np.flatnonzero(used[len(scan.vertices) :])],
        n_loops_filled=stitched.n_loops_filled - (open_now - open_before),
    )


def _count_open(loops: list[Ints], faces: Ints) -> int:
    """How many boundary loops of the scan still have a vertex on the boundary of a surface."""
    on_boundary = np.unique(boundary_edges(faces))
    return sum(bool(np.isin(loop, on_boundary).any()) for loop in loops)


def _submesh(mesh: Mesh, kept: Bools, used: Bools) -> Mesh:
    """Some faces (F,) and vertices (V,) of a mesh, in their order."""
    index = np.cumsum(used) - 1
    vertex_colors = None if mesh.colors is None else mesh.colors[used]
    return Mesh(mesh.vertices[used], index[mesh.faces[kept]], colors=vertex_colors)


def _faces_from(mesh: Mesh, start: int) -> tuple[Mesh, Ints]:
    """The faces from an index on, and the old index of their vertices."""
    chosen = np.arange(len(mesh.faces)) >= start
    empty = np.zeros((0, 3), np.int64)
    return mesh.submesh(chosen) if chosen.any() else (Mesh(empty.astype(float), empty), empty[:, 0])


def _reduce_detail(skin: Detail | None, filled: Bools | None) -> Detail | None:
    """Skin detail without its made-up faces in an open part, None where no made-up face is left."""
    if skin is None or filled is None:
        return None
    made_up = (skin.provenance != Provenance.OBSERVED)[skin.mesh.faces].any(axis=1)
    kept = filled | ~made_up
    if not (made_up & kept).any():
        return None
    mesh, smooth = (replace(m, faces=m.faces[kept]) for m in (skin.mesh, skin.smooth))
    return replace(skin, mesh=mesh, smooth=smooth)
