"""Tell the triangles where the scan has nothing from those that it covers, by votes of regions and a minimum cut."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.face_adjacency import faces_at_edges
from facecom.geometry.mesh import Bools, Floats, Ints, unique_edges
from facecom.geometry.minimum_cut import cheapest_labels
from facecom.stitching.planar_triangulation import pair_keys

CUT_COST_MM2_PER_MM = 1.0
"""Area that a mm of cut through an open surface must save."""
CAPACITY_PER_MM2 = 500.0
"""Integer units of flow for each mm²: the solver counts in integers."""


def label_missing(triangles: Ints, side: Ints, barriers: Ints, *, missing_score: Floats, positions: Floats) -> Bools:
    """Which triangles are missing from the scan: each region between the barriers votes.

    A region that holds both sides of the rim has a leak (a rim edge that could not be kept); a minimum cut closes it.

    Parameters
    ----------
    triangles : (T, 3) int
    side : (T,) int, -1 on the scan's side of a rim edge, +1 on the other side, 0 elsewhere
    barriers : (W, 2) int, edges that part regions
    missing_score : (N,) float in 0..1, how surely the scan lacks a point, NaN where nothing is known
    positions : (N, 3) float, mm

    Returns
    -------
    (T,) bool
    """
    pairs, length = _neighbours(triangles, barriers, positions)
    links = sp.coo_matrix((length + 1e-9, pairs.T), shape=(len(triangles),) * 2).tocsr()
    count, region = csgraph.connected_components(links, directed=False)
    area, score = _triangle_scores(triangles, missing_score, positions)
    sided = np.where(side != 0, 0.5 + 0.5 * side, score)
    weight = np.where(np.isfinite(sided), area, 0.0)
    mean = np.bincount(region, weight * np.nan_to_num(sided), count) / np.maximum(
        np.bincount(region, weight, count), 1e-12
    )
    label = mean[region] > 0.5
    leaky = (np.bincount(region, side > 0, count) > 0) & (np.bincount(region, side < 0, count) > 0)
    chosen = leaky[region]
    if chosen.any():
        # The side of a rim edge may be wrong here (a sheet of hair over skin), so it only halves what is known.
        gain = np.where(np.isfinite(score), np.where(side != 0, score + sided - 1, 2 * score - 1), 0.0)
        label[chosen] = _minimum_cut(links[chosen][:, chosen], (area * gain)[chosen])
    return label


def _neighbours(triangles: Ints, barriers: Ints, positions: Floats) -> tuple[Ints, Floats]:
    """Triangles that share an edge which is no barrier, and the length of that edge."""
    count = len(positions)
    edges, edge_of, used = unique_edges(triangles)
    inner = (used == 2) & ~np.isin(pair_keys(edges, count), pair_keys(barriers, count))
    pairs = faces_at_edges(edge_of, inner) % len(triangles)
    length = np.linalg.norm(positions[edges[inner, 0]] - positions[edges[inner, 1]], axis=1)
    return pairs, length


def _triangle_scores(triangles: Ints, missing_score: Floats, positions: Floats) -> tuple[Floats, Floats]:
    """Area of each triangle, and the mean score of those of its corners that have one, else NaN."""
    a, b, c = (positions[triangles[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1) + 1e-9
    known = np.isfinite(missing_score)[triangles]
    total = np.where(known, missing_score[triangles], 0.0).sum(1)
    return area, np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)


def _minimum_cut(links: sp.csr_matrix, gain: Floats) -> Bools:
    """Labels (T,) that maximise the gain of what is labelled True less the cost of the cut (graph cut)."""
    links, scaled = links.tocoo(), CAPACITY_PER_MM2 * gain
    return cheapest_labels(
        np.stack([links.row, links.col], axis=1),
        CAPACITY_PER_MM2 * CUT_COST_MM2_PER_MM * links.data,
        if_false=np.maximum(scaled, 0.0),
        if_true=np.maximum(-scaled, 0.0),
    )
