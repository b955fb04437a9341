"""What of the hole is to stay open: a completion without that part of its patch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from facecom.completion import Completion
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_edges, boundary_loops
from facecom.provenance import Provenance
from facecom.skin.detail import Detail
from facecom.stitching.stitch import Stitched

LEFT_OPEN = "a part of what is missing was left open, as was asked for"


def leave_open(completion: Completion, missing: Floats, spared: Bools, *, reach_mm: float = 15.0) -> Completion:
    """Take from the patch what belongs to spared points of the missing region; the whole face stays as it is.

    Parameters
    ----------
    completion : Completion
    missing : (M, 3) float, points of the missing region, the scan's own frame and unit
    spared : (M,) bool, those around which nothing is to be made
    reach_mm : what of the patch is farther than this from all of these points stays
    """
    if not spared.any():
        return completion
    tree, reach = cKDTree(missing), reach_mm / completion.context.scan.mm_per_unit

    def stay(mesh: Mesh, vertices: Floats) -> Bools:
        away, nearest = tree.query(vertices[mesh.faces].mean(axis=1))
        return ~(spared[nearest] & (away < reach))

    merged = completion.merged
    kept = stay(merged, merged.vertices) | (np.arange(len(merged.faces)) < len(completion.scan.faces))
    if kept.all():
        return completion
    skin = completion.detail
    stays = None if skin is None else stay(skin.mesh, skin.mesh.vertices)
    return _without(completion, kept, stays)


def _without(completion: Completion, kept: Bools, skin_kept: Bools | None) -> Completion:
    """The completion with some of its merged faces (F,), the scan's among them, and of the triangles of its relief."""
    own = completion.context
    used = np.arange(len(completion.merged.vertices)) < len(own.scan.mesh.vertices)
    used[completion.merged.faces[kept]] = True
    joined, merged = _reduced(own.stitched, kept, used, own.scan.mesh), _part(completion.merged, kept, used)
    report = completion.report
    report = replace(report, holes_filled=joined.n_loops_filled, warnings=(*report.warnings, LEFT_OPEN))
    return replace(
        completion,
        merged=merged,
        patch=_behind(merged, len(own.scan.mesh.faces))[0],
        merged_provenance=completion.merged_provenance[used],
        merged_sigma_mm=completion.merged_sigma_mm[used],
        state=replace(own.state, stitched=joined, report=report, detail=_less_skin(own.detail, skin_kept)),
        report=report,
        detail=_less_skin(completion.detail, skin_kept),
    )


def _reduced(joined: Stitched, kept: Bools, used: Bools, scan: Mesh) -> Stitched:
    merged = _part(joined.merged, kept, used)
    patch, patch_vertices = _behind(merged, len(scan.faces))
    borders = boundary_loops(joined.merged.faces[: len(scan.faces)])
    open_now, open_before = (_count_open(borders, m.faces) for m in (merged, joined.merged))
    return replace(
        joined,
        merged=merged,
        patch=patch,
        patch_vertices=patch_vertices,
        added=joined.added[used],
        weights=joined.weights[np.flatnonzero(used[len(scan.vertices) :])],
        n_loops_filled=joined.n_loops_filled - (open_now - open_before),
    )


def _count_open(borders: list[Ints], faces: Ints) -> int:
    """How many borders of the scan still have a vertex on the border of a surface."""
    ends = np.unique(boundary_edges(faces))
    return sum(bool(np.isin(loop, ends).any()) for loop in borders)


def _part(mesh: Mesh, kept: Bools, used: Bools) -> Mesh:
    """Some of the faces and vertices of a mesh, in their order."""
    number = np.cumsum(used) - 1
    return Mesh(
        mesh.vertices[used], number[mesh.faces[kept]], colors=None if mesh.colors is None else mesh.colors[used]
    )


def _behind(mesh: Mesh, count: int) -> tuple[Mesh, Ints]:
    """The faces after the first ones, and the old index of their vertices."""
    fresh = np.arange(len(mesh.faces)) >= count
    nothing = np.zeros((0, 3), np.int64)
    return mesh.submesh(fresh) if fresh.any() else (Mesh(nothing.astype(float), nothing), nothing[:, 0])


def _less_skin(skin: Detail | None, stays: Bools | None) -> Detail | None:
    """Skin detail without what was made in an open part, None where that was all of it."""
    if skin is None or stays is None:
        return None
    made = skin.provenance != Provenance.OBSERVED
    kept = stays | ~made[skin.mesh.faces].any(axis=1)
    if not made[skin.mesh.faces[kept]].any():
        return None
    mesh, smooth = (replace(m, faces=m.faces[kept]) for m in (skin.mesh, skin.smooth))
    return replace(skin, mesh=mesh, smooth=smooth)
