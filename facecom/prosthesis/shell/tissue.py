"""What a part must not enter: the skin around the defect, the wound bed, and all that lies under them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import Floats, Mesh, face_normals
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.thickness import Thickness, smoothstep
from facecom.prosthesis.solid.booleans import extrude_to_floor, heightfield_solid, to_solid

ABOVE_MM = 5.0
"""Rays down along the axis start this far above the highest point."""
BED_NORMAL_ROUNDS = 2
"""Smoothing of the wound bed's normals before it is offset by the clearance."""
HARDEST_MM = 1e-3
"""Least width of the soft maximum, which keeps it defined at the defect's edge."""
SOFT_WIDTHS = 8.0
"""The soft maximum is evaluated up to so many of its widths; farther on it changes nothing that matters."""


def raise_above_tissue(
    outer: OuterSurface, tissue: Mesh, axis: Floats, *, thickness: Thickness, soft_mm: float = 0.8
) -> Mesh:
    """The outer face raised along the axis where the part over the tissue would be too thin.

    The patch may dip under a wound bed: a canal that was closed, a scar that stands higher than the skin did. Within
    the defect the lip's thickness is kept, over skin what is asked for there.

    Parameters
    ----------
    outer : OuterSurface, face frame
    tissue : Mesh, face frame
    axis : (3,) float, unit, face frame
    thickness : Thickness
    soft_mm : within about this distance of the least height the face is raised a little, so that no crease is left
    """
    points, axis = outer.mesh.vertices, np.asarray(axis)
    top = float((tissue.vertices @ axis).max()) + ABOVE_MM
    start = points + (top - points @ axis)[:, None] * axis
    depth = Surface(tissue).cast(start, np.broadcast_to(-axis, start.shape)).depth
    over_skin = thickness.over_skin(outer.border_distance)
    least = np.where(outer.defect_distance > 0, thickness.clearance + over_skin, over_skin)
    excess = np.where(np.isfinite(depth), points @ axis - (top - depth) - least, np.inf)
    # A soft maximum never swaps two heights over one place, so that folds above each other stay apart. Towards the
    # defect's edge it hardens: what lies on skin there is to stay as it is.
    soft = np.maximum(soft_mm * smoothstep(outer.defect_distance / thickness.blend), HARDEST_MM)
    excess = np.minimum(excess, SOFT_WIDTHS * soft)
    raised = np.where(excess < SOFT_WIDTHS * soft, soft * np.logaddexp(0.0, -excess / soft), 0.0)
    if not raised.any():
        return outer.mesh
    return outer.mesh.with_vertices(points + raised[:, None] * axis)


def height_over_bed(mesh: Mesh, defect_distance: Floats, bed: Mesh) -> Floats:
    """Height of the vertices of an outer face over the wound bed below, (V,) mm, 0 where there is none, axis frame."""
    down = np.broadcast_to([0.0, 0.0, -1.0], mesh.vertices.shape)
    hits = Surface(bed).cast(mesh.vertices, down)
    under = np.isfinite(hits.depth) & (face_normals(bed)[hits.faces, 2] > 0) & (defect_distance > 0)
    return np.where(under, hits.depth, 0.0)


def tissue_mesh(skin: OuterSurface, bed: Mesh | None, clearance: float) -> Mesh:
    """The skin around a defect and the wound bed, offset outwards by the clearance, mm; face frame."""
    healthy, _ = skin.mesh.submesh(np.asarray((skin.defect_distance[skin.mesh.faces] <= 1e-9).all(1)))
    if bed is None or not len(bed.faces):
        return healthy
    offset = bed.vertices + clearance * smoothed_normals(bed.vertices, bed.faces, passes=BED_NORMAL_ROUNDS)
    return Mesh(
        np.concatenate([healthy.vertices, offset]),
        np.concatenate([healthy.faces, bed.faces + len(healthy.vertices)]),
    )


def tissue_heightfield(tissue: Mesh, *, floor: float, spacing: float) -> Mesh:
    """The closed solid under the tissue as the axis sees it: a part that stays above it comes off along the axis.

    Parameters
    ----------
    tissue : Mesh, axis frame, mm
    floor : z of the floor, mm
    spacing : of the height field, mm
    """
    low, high = tissue.vertices[:, :2].min(0) - 2 * spacing, tissue.vertices[:, :2].max(0) + 2 * spacing
    # Twice as fine as the solid, to see how far its flat pieces would rise above hollows.
    rows, columns = 2 * np.ceil((high - low) / spacing).astype(int) + 1
    x, y = (low[k] + 0.5 * spacing * np.arange(n) for k, n in enumerate((rows, columns)))
    top = float(tissue.vertices[:, 2].max()) + ABOVE_MM
    start = np.stack([*(g.ravel() for g in np.meshgrid(x, y, indexing="ij")), np.full(rows * columns, top)], axis=1)
    depth = Surface(tissue).cast(start, np.broadcast_to([0.0, 0.0, -1.0], start.shape)).depth
    heights = np.maximum(top - depth.reshape(rows, columns), floor)
    return heightfield_solid(_lower_envelope(heights), origin=low, spacing=spacing, floor=floor)


def wound_bed_solid(bed: Mesh, *, floor: float) -> Any:
    """The manifold3d solid under the wound bed itself, which a height field rounds off at steep walls.

    It is empty where the bed is no disc or is undercut: the height field alone keeps the part away then.
    """
    try:
        return to_solid(extrude_to_floor(bed, floor=floor))
    except ValueError:
        return to_solid(Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64)))


def _lower_envelope(fine: Floats, *, most_mm: float = 0.3, wall_mm: float = 0.8) -> Floats:
    """Every second height, lowered by as much as the flat pieces between them rise above the heights left out.

    Parameters
    ----------
    fine : (2 I - 1, 2 J - 1) float, mm
    most_mm : they are lowered by this at most
    wall_mm : where heights differ by more, at a wall, the lowest one around is taken: a step of the grid would enter
        what lies beside the wall
    """
    coarse = fine[::2, ::2]
    interpolated = np.empty_like(fine)
    interpolated[::2, ::2] = coarse
    interpolated[1::2, ::2] = 0.5 * (coarse[1:] + coarse[:-1])
    interpolated[::2, 1::2] = 0.5 * (coarse[:, 1:] + coarse[:, :-1])
    interpolated[1::2, 1::2] = 0.5 * (coarse[1:, 1:] + coarse[:-1, :-1])
    over = np.clip(interpolated - fine, 0.0, most_mm)
    worst = maximum_filter(over, size=3, mode="nearest")[::2, ::2]
    lowest = minimum_filter(fine, size=3, mode="nearest")[::2, ::2]
    steep = maximum_filter(fine, size=3, mode="nearest")[::2, ::2] - lowest > wall_mm
    return np.where(steep, lowest, coarse - worst)
