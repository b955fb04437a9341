"""Tell the triangles where the scan has nothing from those that it covers."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.mesh import Bools, Floats, Ints, unique_edges
from facecom.stitching.planar_triangulation import pair_keys

_CUT_MM = 1.0  # area in mm² that one mm of cut through open surface must save
_CAPACITY = 500.0  # integer units per mm²


def label_missing(triangles: Ints, side: Ints, walls: Ints, *, evidence: Floats, positions: Floats) -> Bools:
    """Vote over the regions between the walls.

    A region that holds both sides of the rim has a leak (a rim edge that could not be kept); a minimum cut closes it.

    Parameters
    ----------
    triangles : (T, 3) int
    side : (T,) int, -1 on the scan's side of a rim edge, +1 on the other side, 0 elsewhere
    walls : (W, 2) int, edges that part regions
    evidence : (N,) float in 0..1, how surely a point is missing, NaN for no opinion
    positions : (N, 3) float, mm

    Returns
    -------
    (T,) bool
    """
    pairs, length = _neighbours(triangles, walls, positions)
    links = sp.coo_matrix((length + 1e-9, pairs.T), shape=(len(triangles),) * 2).tocsr()
    count, region = csgraph.connected_components(links, directed=False)
    area, opinion = _opinions(triangles, evidence, positions)
    sided = np.where(side != 0, 0.5 + 0.5 * side, opinion)
    weight = np.where(np.isfinite(sided), area, 0.0)
    mean = np.bincount(region, weight * np.nan_to_num(sided), count) / np.maximum(
        np.bincount(region, weight, count), 1e-12
    )
    label = mean[region] > 0.5
    leaky = (np.bincount(region, side > 0, count) > 0) & (np.bincount(region, side < 0, count) > 0)
    chosen = leaky[region]
    if chosen.any():
        # The side of a rim edge may be wrong here (a sheet of hair over skin), so it only halves what is known.
        lean = np.where(np.isfinite(opinion), np.where(side != 0, opinion + sided - 1, 2 * opinion - 1), 0.0)
        label[chosen] = _minimum_cut(links[chosen][:, chosen], (area * lean)[chosen])
    return label


def _neighbours(triangles: Ints, walls: Ints, positions: Floats) -> tuple[Ints, Floats]:
    """Triangles that share an edge which is no wall, and the length of that edge."""
    count = len(positions)
    edges, edge_of, used = unique_edges(triangles)
    inner = (used == 2) & ~np.isin(pair_keys(edges, count), pair_keys(walls, count))
    order = np.argsort(edge_of, kind="stable")
    owner = np.tile(np.arange(len(triangles)), 3)[order]
    pairs = owner[inner[edge_of[order]]].reshape(-1, 2)
    length = np.linalg.norm(positions[edges[inner, 0]] - positions[edges[inner, 1]], axis=1)
    return pairs, length


def _opinions(triangles: Ints, evidence: Floats, positions: Floats) -> tuple[Floats, Floats]:
    """Area of each triangle, and the mean evidence of those of its corners that have any, else NaN."""
    a, b, c = (positions[triangles[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1) + 1e-9
    known = np.isfinite(evidence)[triangles]
    total = np.where(known, evidence[triangles], 0.0).sum(1)
    return area, np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)


def _minimum_cut(links: sp.csr_matrix, gain: Floats) -> Bools:
    """Labels that maximise the gain of what is labelled True less the length of the cut (graph cut)."""
    count = len(gain)
    links = links.tocoo()
    rows = np.concatenate([links.row, links.col, np.full(count, count), np.arange(count)])
    columns = np.concatenate([links.col, links.row, np.arange(count), np.full(count, count + 1)])
    both = np.tile(links.data * _CUT_MM, 2)
    capacity = np.concatenate([both, np.maximum(gain, 0), np.maximum(-gain, 0)])
    whole = np.minimum(np.round(capacity * _CAPACITY), 1e8).astype(np.int32)
    graph = sp.coo_matrix((whole, (rows, columns)), shape=(count + 2, count + 2)).tocsr()
    flow = csgraph.maximum_flow(graph, count, count + 1).flow
    rest = (graph - flow).tocsr()
    rest.data[rest.data < 0] = 0
    rest.eliminate_zeros()
    reached = csgraph.breadth_first_order(rest, count, return_predecessors=False)
    out = np.zeros(count + 2, bool)
    out[reached] = True
    return out[:count]
