"""The minimum cut of a graph, by maximum flow (Ford and Fulkerson)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.mesh import Bools, Floats, Ints

MAX_CAPACITY = 1e8
"""Largest capacity of an edge unless said otherwise, so that sums stay within the solver's 32 bits."""


def source_side(capacity: sp.csr_matrix, source: int, sink: int) -> Bools:
    """Nodes on the source's side of a minimum cut between source and sink.

    Parameters
    ----------
    capacity : (N, N) sparse int32, of each directed edge
    source, sink : int, nodes

    Returns
    -------
    (N,) bool, the smallest such set

    Examples
    --------
    >>> chain = sp.csr_matrix(np.array([[0, 3, 0], [0, 0, 1], [0, 0, 0]], np.int32))
    >>> source_side(chain, 0, 2)
    array([ True,  True, False])
    """
    flow = csgraph.maximum_flow(capacity, source, sink).flow
    left = (capacity - flow).tocsr()
    left.eliminate_zeros()
    reached = csgraph.breadth_first_order(left, source, return_predecessors=False)
    out = np.zeros(capacity.shape[0], bool)
    out[reached] = True
    return out


def cheapest_labels(
    pairs: Ints, cut: Floats, *, if_false: Floats, if_true: Floats, most: float = MAX_CAPACITY
) -> Bools:
    """Labels of least cost: that of each node's label, and of each pair whose labels differ (Greig and others 1989).

    Parameters
    ----------
    pairs : (E, 2) int, neighbours
    cut : (E,) float, what it costs to part them
    if_false, if_true : (N,) float, what the labels cost at each node; not negative
    most : larger costs are cut off here; all are rounded, since the solver counts in integers

    Returns
    -------
    (N,) bool, of the cheapest labellings the one with the fewest True

    Examples
    --------
    >>> chain = np.array([[0, 1], [1, 2]])
    >>> cheapest_labels(chain, np.array([3.0, 1.0]), if_false=np.array([9.0, 0, 0]), if_true=np.array([0.0, 0, 9]))
    array([ True,  True, False])
    """
    count = len(if_true)
    nodes = np.arange(count)
    rows = np.concatenate([pairs[:, 0], pairs[:, 1], np.full(count, count), nodes])
    columns = np.concatenate([pairs[:, 1], pairs[:, 0], nodes, np.full(count, count + 1)])
    capacity = np.minimum(np.round(np.concatenate([cut, cut, if_false, if_true])), most).astype(np.int32)
    graph = sp.coo_matrix((capacity, (rows, columns)), shape=(count + 2, count + 2)).tocsr()
    return source_side(graph, count, count + 1)[:count]
