"""The skin around a defect and the wound bed in it, and the outer face raised over them."""

from __future__ import annotations

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import Floats, Mesh
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.thickness import Thickness, smoothstep

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
