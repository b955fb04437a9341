"""The minimum cut of a graph, by maximum flow (Ford and Fulkerson)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.mesh import Bools


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
