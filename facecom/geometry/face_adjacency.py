"""Which two faces share an edge."""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Bools, Ints


def faces_at_edges(edge_of_corner: Ints, chosen: Bools) -> Ints:
    """The two corners whose edges are each of the chosen edges, (I, 2), in the order of the edges.

    Corner `c` belongs to face `c % F` and is its corner `c // F`.

    Parameters
    ----------
    edge_of_corner : (3 F,) int, edge of each corner, as `unique_edges` gives it
    chosen : (E,) bool, edges with two faces

    Examples
    --------
    >>> from facecom.geometry.mesh import unique_edges
    >>> edges, edge_of_corner, used = unique_edges(np.array([[0, 1, 2], [2, 1, 3]]))
    >>> edges[used == 2], faces_at_edges(edge_of_corner, used == 2) % 2
    (array([[1, 2]]), array([[1, 0]]))
    """
    order = np.argsort(edge_of_corner, kind="stable")
    return order[chosen[edge_of_corner[order]]].reshape(-1, 2)
