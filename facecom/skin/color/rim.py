"""Which colours of a scan are skin: those at an open border may be mixed with what lay behind it."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_edges

_LOOKED_AT, _FEWEST, _ALIKE, _VOTERS = 32, 8, 4, 9


def sound_colors(
    scan: Mesh,
    *,
    rim_mm: float = 6.0,
    reach_mm: float = 12.0,
    least_step: float = 0.06,
    usual_share: float = 0.9,
    mixed_from: float = 2.7,
) -> Bools:
    """Whether the colour of each vertex may be carried on: false where a rim shows what the skin inside does not.

    At the silhouette of a depth frame colours mix with the background, all along. A vertex near an open border is
    asked how far its colour is from those found further inside; what is usual is learnt from the scan itself, from
    places as far inside again. Borders that are not much stranger than that, as those of a cut through brow or lip,
    are believed as a whole; else strange vertices and their neighbours are doubted.

    Parameters
    ----------
    scan : Mesh with a colour for each vertex, mm
    rim_mm : how far from an open border colours are asked
    reach_mm : how much further than that a colour may be found
    least_step : difference of colour (0..1) that is never doubted
    usual_share : share of places further inside whose difference counts as usual
    mixed_from : how many times stranger the border must be than the inside (upper quartiles) for any doubt

    Returns
    -------
    (V,) bool, all true where the scan has no open border or too little lies inside

    Raises
    ------
    ValueError
        When the scan has no colours.
    """
    if scan.colors is None:
        raise ValueError("the scan has no colours, so none can be judged; give a scan with vertex colours")
    sound = np.ones(len(scan.vertices), bool)
    border = np.unique(boundary_edges(scan.faces))
    if not len(border):
        return sound
    depth = cKDTree(scan.vertices[border]).query(scan.vertices)[0]
    rim, behind = np.flatnonzero(depth <= rim_mm), np.flatnonzero((depth > rim_mm) & (depth <= 2 * rim_mm))
    usual = _strangeness(scan, behind, np.flatnonzero(depth > 2 * rim_mm), 2 * rim_mm + reach_mm)
    if np.isfinite(usual).sum() < _FEWEST:
        return sound
    steps = _strangeness(scan, rim, np.flatnonzero(depth > rim_mm), rim_mm + reach_mm)
    at_border = steps[(depth[rim] == 0.0) & np.isfinite(steps)]
    common = mixed_from * max(least_step, float(np.nanquantile(usual, 0.75)))
    if not len(at_border) or np.quantile(at_border, 0.75) < common:
        return sound
    # a shard all rim, with no inside in reach, is as mixed as the rest
    strange = ~(steps <= max(least_step, float(np.nanquantile(usual, usual_share))))
    voters = cKDTree(scan.vertices[rim]).query(scan.vertices[rim], k=min(_VOTERS, len(rim)))[1].reshape(len(rim), -1)
    sound[rim] = ~strange & (strange[voters].mean(1) < 1.0 / 3.0)
    return sound


def _strangeness(scan: Mesh, asked: Ints, inside: Ints, reach_mm: float) -> Floats:
    """How far the colour of each vertex is from the few most alike of the closest ones inside; NaN where too few."""
    if scan.colors is None or len(inside) < _FEWEST or not len(asked):
        return np.full(len(asked), np.nan)
    tree = cKDTree(scan.vertices[inside])
    away, nearest = tree.query(scan.vertices[asked], k=min(_LOOKED_AT, len(inside)), distance_upper_bound=reach_mm)
    found = np.isfinite(away)
    theirs = scan.colors[inside[np.where(found, nearest, 0)]]
    step = np.where(found, np.linalg.norm(theirs - scan.colors[asked, None], axis=2), np.inf)
    return np.where(found.sum(1) >= _FEWEST, np.sort(step, axis=1)[:, _ALIKE - 1], np.nan)
