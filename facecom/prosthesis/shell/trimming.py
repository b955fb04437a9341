"""Remnants of tissue that stand in the way of a part: what has to be cut away, and the scan as if it was."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Mesh, face_components, face_cross
from facecom.prosthesis.defect.design_surface import DesignSurface
from facecom.prosthesis.defect.neighbourhood import Defect, interface_vertices
from facecom.prosthesis.shell.thickness import Thickness, smoothstep

ABOVE_MM = 5.0
"""Rays down along the axis start this far above the highest point."""
LEAST_CUT_MM3 = 1.0
"""Less than this is no cut: noise of the scan."""
SAME_PLACE_MM = 1e-6
"""A vertex of the scan is one of the wound bed when it lies this near to it."""


@dataclass(frozen=True)
class Cut:
    """Tissue that has to be cut away before a part fits.

    Parameters
    ----------
    volume_mm3, area_mm2 : of the tissue, and of its surface as the withdrawal axis sees it
    depth_mm : the farthest of that tissue from where the cut leaves it
    at : where that is, in the scan's frame, mm
    """

    volume_mm3: float
    area_mm2: float
    depth_mm: float
    at: tuple[float, float, float]


def trim_remnants(
    source: DesignSurface, defect: Defect, axis: Floats, *, thickness: Thickness
) -> tuple[DesignSurface, tuple[Cut, ...]]:
    """Cut the wound bed down to where a part of the least thickness keeps the shape of the completed face.

    Parameters
    ----------
    source : DesignSurface
    defect : Defect, that the part is for
    axis : (3,) float, unit, of withdrawal, face frame
    thickness : Thickness; within the defect the lip's is kept, less as far as the part stands out of the skin

    Returns
    -------
    source : DesignSurface, its bed and its tissue cut
    cuts : of more than 1 mm3, the largest first
    """
    if source.bed is None or not len(source.bed.faces):
        return source, ()
    bed, axis = source.bed, np.asarray(axis, float)
    excess = _excess(source.merged, defect.faces, bed.vertices, axis, thickness)
    if not excess.any():
        return source, ()
    lowered = bed.with_vertices(bed.vertices - excess[:, None] * axis)
    away, number = cKDTree(bed.vertices).query(source.tissue.vertices, distance_upper_bound=SAME_PLACE_MM)
    drop = np.where(np.isfinite(away), np.append(excess, 0.0)[number], 0.0)
    tissue = source.tissue.with_vertices(source.tissue.vertices - drop[:, None] * axis)
    to_scan = source.completion.context.fit.pose.inverse()
    cuts = _cuts(bed, lowered, excess, axis)
    placed = [replace(cut, at=_triple(to_scan.apply(np.array([cut.at]))[0])) for cut in cuts]
    return replace(source, bed=lowered, tissue=tissue), tuple(sorted(placed, key=lambda cut: -cut.volume_mm3))


def _excess(merged: Mesh, in_defect: Bools, points: Floats, axis: Floats, thickness: Thickness) -> Floats:
    """How far points stand too high under the patch of a defect, along the axis, (N,) mm."""
    patch, used = merged.submesh(in_defect)
    top = float(max((patch.vertices @ axis).max(), (points @ axis).max())) + ABOVE_MM
    height = points @ axis
    start = points + (top - height)[:, None] * axis
    hits = Surface(patch).cast(start, np.broadcast_to(-axis, start.shape))
    under = np.isfinite(hits.depth)
    rim = merged.vertices[used[interface_vertices(merged, in_defect)[used]]]
    # Beside the defect's edge the part stands out of the skin and needs no room below it.
    above = start - np.where(under, hits.depth, 0.0)[:, None] * axis
    from_edge = cKDTree(rim).query(above)[0] if len(rim) else np.full(len(points), np.inf)
    room = (thickness.clearance + thickness.lip) * smoothstep(from_edge / thickness.blend)
    highest = np.where(under, top - np.where(under, hits.depth, 0.0) - room, np.inf)
    return np.maximum(height - highest, 0.0)


def _cuts(bed: Mesh, lowered: Mesh, excess: Floats, axis: Floats) -> list[Cut]:
    """The connected pieces of a bed that are lowered, each as a cut; at a steep face a shallow one runs far down."""
    depth = Surface(lowered).closest(bed.vertices).distance
    rows = np.flatnonzero((excess[bed.faces] > 0).any(1))
    label = face_components(bed.faces[rows])
    across = 0.5 * np.abs(face_cross(bed.vertices, bed.faces[rows]) @ axis)
    over = excess[bed.faces[rows]]
    volume, area, cuts = np.bincount(label, across * over.mean(1)), np.bincount(label, across * (over > 0).mean(1)), []
    for k in np.flatnonzero(volume > LEAST_CUT_MM3):
        corners = np.unique(bed.faces[rows[label == k]])
        deepest = corners[np.argmax(depth[corners])]
        at = _triple(bed.vertices[deepest])
        cuts.append(Cut(float(volume[k]), float(area[k]), float(depth[deepest]), at))
    return cuts


def _triple(point: Floats) -> tuple[float, float, float]:
    x, y, z = point.tolist()
    return x, y, z
