"""What a part must not enter: the skin around the defect, the wound bed, and all that lies under them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import Floats, Mesh, face_normals
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.thickness import Thickness, smooth_step
from facecom.prosthesis.solid.booleans import below, height_solid, to_solid


def above_tissue(
    around: OuterSurface, tissue: Mesh, axis: Floats, *, thickness: Thickness, soft_mm: float = 0.8
) -> Mesh:
    """The outer face raised along the axis where the tissue comes so near to it that the part would be too thin.

    A made face may dip under a wound bed: a canal that was closed, a scar that stands higher than skin did. Within the
    defect the lip's thickness is kept, over skin what is asked for there.

    Parameters
    ----------
    around : Sheet, the outer face, face frame
    tissue : Mesh, face frame
    axis : (3,) float, unit, face frame
    soft_mm : within about so much of the least height the face is raised a little, so that no crease is left
    """
    points, normal = around.mesh.vertices, np.asarray(axis)
    top = float((tissue.vertices @ normal).max()) + 5.0
    start = points + (top - points @ normal)[:, None] * normal
    depth = Surface(tissue).cast(start, np.broadcast_to(-normal, start.shape)).depth
    thin = thickness.over_skin(around.rim)
    least = np.where(around.inward > 0, thickness.clearance + thin, thin)
    over = np.where(np.isfinite(depth), points @ normal - (top - depth) - least, np.inf)
    # A soft maximum that never turns two heights over one place round, so that folds above each other stay apart;
    # towards the defect's edge it hardens, for what lies on skin there is to stay as it is.
    soft = np.maximum(soft_mm * smooth_step(around.inward / thickness.blend), 1e-3)
    over = np.minimum(over, 8.0 * soft)
    raised = np.where(over < 8.0 * soft, soft * np.logaddexp(0.0, -over / soft), 0.0)
    if not raised.any():
        return around.mesh
    return around.mesh.with_vertices(points + raised[:, None] * normal)


def room_over(beyond: Mesh, inward: Floats, bed: Mesh) -> Floats:
    """Height of each vertex of the outer face over the wound bed under it, 0 where there is none, axis frame."""
    down = np.broadcast_to([0.0, 0.0, -1.0], beyond.vertices.shape)
    hits = Surface(bed).cast(beyond.vertices, down)
    under = np.isfinite(hits.depth) & (face_normals(bed)[hits.faces, 2] > 0) & (inward > 0)
    return np.where(under, hits.depth, 0.0)


def tissue_mesh(wide: OuterSurface, bed: Mesh | None, clearance: float) -> Mesh:
    """The skin around a defect and, lifted by the clearance, the wound bed; face frame."""
    healthy, _ = wide.mesh.submesh(np.asarray((wide.inward[wide.mesh.faces] <= 1e-9).all(1)))
    if bed is None or not len(bed.faces):
        return healthy
    lifted = bed.vertices + clearance * smoothed_normals(bed.vertices, bed.faces, passes=2)
    return Mesh(
        np.concatenate([healthy.vertices, lifted]),
        np.concatenate([healthy.faces, bed.faces + len(healthy.vertices)]),
    )


def ground_under(tissue: Mesh, *, floor: float, spacing: float) -> Mesh:
    """What lies under the tissue as the axis sees it; a part that stays above it can be taken off along the axis."""
    low, high = tissue.vertices[:, :2].min(0) - 2 * spacing, tissue.vertices[:, :2].max(0) + 2 * spacing
    # Twice as fine as the solid, to see how far its flat pieces would rise above hollows.
    rows, columns = 2 * np.ceil((high - low) / spacing).astype(int) + 1
    x, y = (low[k] + 0.5 * spacing * np.arange(n) for k, n in enumerate((rows, columns)))
    top = float(tissue.vertices[:, 2].max()) + 5.0
    start = np.stack([*(g.ravel() for g in np.meshgrid(x, y, indexing="ij")), np.full(rows * columns, top)], axis=1)
    depth = Surface(tissue).cast(start, np.broadcast_to([0.0, 0.0, -1.0], start.shape)).depth
    heights = np.maximum(top - depth.reshape(rows, columns), floor)
    return height_solid(_sunk(heights), origin=low, spacing=spacing, floor=floor)


def bed_solid(bed: Mesh, *, floor: float) -> Any:
    """All that lies under the wound bed itself, which the grid of the ground rounds off at steep walls."""
    try:
        return to_solid(below(bed, floor=floor))
    except ValueError:  # no disc, or it hangs over: then the grid alone keeps the part away
        return to_solid(Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64)))


def _sunk(fine: Floats, *, most_mm: float = 0.3, wall_mm: float = 0.8) -> Floats:
    """Every second height, lowered by as much as the flat pieces between them rise above the heights left out.

    At walls the lowest height around is taken: a step of the grid would bite into what lies beside the wall.
    """
    coarse = fine[::2, ::2]
    guess = np.empty_like(fine)
    guess[::2, ::2] = coarse
    guess[1::2, ::2] = 0.5 * (coarse[1:] + coarse[:-1])
    guess[::2, 1::2] = 0.5 * (coarse[:, 1:] + coarse[:, :-1])
    guess[1::2, 1::2] = 0.5 * (coarse[1:, 1:] + coarse[:-1, :-1])
    over = np.clip(guess - fine, 0.0, most_mm)
    worst = maximum_filter(over, size=3, mode="nearest")[::2, ::2]
    lowest = minimum_filter(fine, size=3, mode="nearest")[::2, ::2]
    steep = maximum_filter(fine, size=3, mode="nearest")[::2, ::2] - lowest > wall_mm
    return np.where(steep, lowest, coarse - worst)
