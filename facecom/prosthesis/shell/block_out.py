"""The tissue as the withdrawal axis sees it, blocked out: one height field above which a part sits and comes off."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import grey_closing, maximum_filter, minimum_filter
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh, longest_edges
from facecom.prosthesis.solid.booleans import heightfield_solid, to_solid

ABOVE_MM = 5.0
"""Rays down along the axis start this far above the highest point."""
STEEP = 2.0
"""Where the tissue rises by more than so many times the way across, straight pieces between heights would cut it."""
BESIDE_MM = 1.0
"""Tissue farther than this from the part, across the axis, is left out."""


def blocked_out(tissue: Mesh, under: Mesh, *, floor: float, spacing: float, ball_mm: float) -> Any:
    """The manifold3d solid of all that lies under the tissue along the axis, its narrow grooves filled.

    A part above it meets nothing on its way off. Steep tissue, and where it ends, is widened by one to three cells, so
    that no straight piece of the height field cuts it. Grooves that a ball does not fit into are filled, as far as it
    does not, as a technician blocks them out with wax: the part would end in a thin fin there.

    Parameters
    ----------
    tissue : Mesh, axis frame, mm
    under : Mesh, the outer face of the part; tissue beside it is left out
    floor : z of the floor, mm
    spacing : of the height field, mm
    ball_mm : radius of the ball

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0]], [[0, 1, 2], [0, 2, 3]])
    >>> solid = blocked_out(tile, tile, floor=-2.0, spacing=0.1, ball_mm=0.4)
    >>> 4.0**2 * 2.0 < solid.volume() < 4.6**2 * 2.0  # wider by up to three cells on each side
    True
    """
    low, high = under.vertices[:, :2].min(0) - BESIDE_MM, under.vertices[:, :2].max(0) + BESIDE_MM
    heights = _heights(tissue, low, high, floor=floor, spacing=spacing)
    closed = grey_closing(heights, structure=_ball(ball_mm, spacing))
    return to_solid(heightfield_solid(closed, origin=low, spacing=spacing, floor=floor))


def _heights(tissue: Mesh, low: Floats, high: Floats, *, floor: float, spacing: float) -> Floats:
    """Heights of the tissue at the nodes of a grid, (I, J) mm, the highest around where it is steep or ends."""
    # Twice as fine as the height field, to see what lies between its nodes.
    rows, columns = 2 * np.ceil((high - low) / spacing).astype(int) + 1
    x, y = (low[k] + 0.5 * spacing * np.arange(n) for k, n in enumerate((rows, columns)))
    top = float(tissue.vertices[:, 2].max()) + ABOVE_MM
    start = np.stack([*(g.ravel() for g in np.meshgrid(x, y, indexing="ij")), np.full(rows * columns, top)], axis=1)
    depth = Surface(tissue).cast(start, np.broadcast_to([0.0, 0.0, -1.0], start.shape)).depth
    fine = np.maximum(top - depth.reshape(rows, columns), floor)
    rise = maximum_filter(fine, size=3, mode="nearest") - minimum_filter(fine, size=3, mode="nearest")
    steep = maximum_filter(rise > STEEP * spacing, size=3, mode="nearest")
    return np.where(steep, maximum_filter(fine, size=5, mode="nearest"), fine)[::2, ::2]


def _ball(radius_mm: float, spacing: float) -> Floats:
    """The upper half of a ball as a structuring element on a grid, mm."""
    reach = int(np.floor(radius_mm / spacing))
    across = spacing * np.arange(-reach, reach + 1)
    squared = radius_mm**2 - across[:, None] ** 2 - across**2
    return np.where(squared >= 0, np.sqrt(np.maximum(squared, 0.0)) - radius_mm, -np.inf)


def tissue_under(scan: Mesh, outer: Mesh) -> Mesh:
    """Those faces of a scan that lie under a part with this outer face or a little beside it; axis frame, mm."""
    low, high = outer.vertices.min(0)[:2] - BESIDE_MM, outer.vertices.max(0)[:2] + BESIDE_MM
    x_y = scan.vertices[:, :2]
    boxed = ((x_y >= low) & (x_y <= high)).all(1)
    reach = BESIDE_MM + float(longest_edges(outer.vertices, outer.faces).max())
    close = np.zeros(len(boxed), bool)
    close[boxed] = np.isfinite(cKDTree(outer.vertices[:, :2]).query(x_y[boxed], distance_upper_bound=reach)[0])
    return scan.submesh(np.asarray(close[scan.faces].any(1)))[0]
