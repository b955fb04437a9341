"""Which colours of a scan are skin: those at an open boundary may be mixed with what lay behind it."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_edges

NEIGHBOURS = 32
"""Vertices further inside with which a colour is compared."""
MIN_NEIGHBOURS = 8
"""Fewer than these tell nothing."""
ALIKE = 4
"""The difference to so many of the most alike counts: skin has spots."""
VOTERS = 9
"""Nearest vertices, itself included, that decide on a vertex."""
MAX_STRANGE_VOTES = 1.0 / 3.0
"""Share of strange ones among them from which on the vertex is not reliable."""
UPPER_QUARTILE = 0.75
"""Quantile by which boundary and inside are compared."""


def reliable_colors(
    scan: Mesh,
    *,
    rim_mm: float = 6.0,
    reach_mm: float = 12.0,
    min_difference: float = 0.06,
    usual_share: float = 0.9,
    mixed_from: float = 2.7,
) -> Bools:
    """Whether the colour of each vertex may be continued: false where a rim shows what the skin inside does not.

    At the silhouette of a depth frame colours mix with the background, all along. A vertex near an open boundary is
    asked how far its colour is from those found further inside; what is usual is learnt from the scan itself, from
    places as far inside again. Boundaries that are not much stranger than that, as those of a cut through brow or lip,
    are trusted as a whole; else strange vertices and their neighbours are not.

    Parameters
    ----------
    scan : Mesh with a colour for each vertex, mm
    rim_mm : float, how far from an open boundary colours are asked
    reach_mm : float, how much further than that a colour may be found
    min_difference : float, difference of colour (0..1) that is always trusted
    usual_share : float, share of places further inside whose difference counts as usual
    mixed_from : float
        How many times stranger the boundary must be than the inside (upper quartiles) for any doubt.

    Returns
    -------
    (V,) bool, all true where the scan has no open boundary or too little lies inside

    Raises
    ------
    ValueError
        When the scan has no colours.
    """
    if scan.colors is None:
        raise ValueError("the scan has no colours, so none can be judged; give a scan with vertex colours")
    reliable = np.ones(len(scan.vertices), bool)
    boundary = np.unique(boundary_edges(scan.faces))
    if not len(boundary):
        return reliable
    depth = cKDTree(scan.vertices[boundary]).query(scan.vertices)[0]
    rim, behind = np.flatnonzero(depth <= rim_mm), np.flatnonzero((depth > rim_mm) & (depth <= 2 * rim_mm))
    usual = _difference_to_inside(scan, behind, np.flatnonzero(depth > 2 * rim_mm), 2 * rim_mm + reach_mm)
    if np.isfinite(usual).sum() < MIN_NEIGHBOURS:
        return reliable
    difference = _difference_to_inside(scan, rim, np.flatnonzero(depth > rim_mm), rim_mm + reach_mm)
    at_boundary = difference[(depth[rim] == 0.0) & np.isfinite(difference)]
    common = mixed_from * max(min_difference, float(np.nanquantile(usual, UPPER_QUARTILE)))
    if not len(at_boundary) or np.quantile(at_boundary, UPPER_QUARTILE) < common:
        return reliable
    # a shard all rim, with no inside in reach, is as mixed as the rest
    strange = ~(difference <= max(min_difference, float(np.nanquantile(usual, usual_share))))
    voters = cKDTree(scan.vertices[rim]).query(scan.vertices[rim], k=min(VOTERS, len(rim)))[1].reshape(len(rim), -1)
    reliable[rim] = ~strange & (strange[voters].mean(1) < MAX_STRANGE_VOTES)
    return reliable


def _difference_to_inside(scan: Mesh, asked: Ints, inside: Ints, reach_mm: float) -> Floats:
    """How far the colour of each vertex is from the few most alike of the closest ones inside; NaN where too few."""
    if scan.colors is None or len(inside) < MIN_NEIGHBOURS or not len(asked):
        return np.full(len(asked), np.nan)
    tree = cKDTree(scan.vertices[inside])
    away, nearest = tree.query(scan.vertices[asked], k=min(NEIGHBOURS, len(inside)), distance_upper_bound=reach_mm)
    found = np.isfinite(away)
    theirs = scan.colors[inside[np.where(found, nearest, 0)]]
    step = np.where(found, np.linalg.norm(theirs - scan.colors[asked, None], axis=2), np.inf)
    return np.where(found.sum(1) >= MIN_NEIGHBOURS, np.sort(step, axis=1)[:, ALIKE - 1], np.nan)
