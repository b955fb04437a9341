"""Nested 1-to-4 subdivision: vertex i of a level is vertex i of every finer level."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from facecom.geometry.mesh import Ints, unique_edges


def split_faces(faces: Ints, count: int) -> tuple[Ints, Ints]:
    """Split each face in four at its edge midpoints.

    Parameters
    ----------
    faces : (F, 3) int
    count : int, number of vertices of this level

    Returns
    -------
    finer : (4F, 3) int; children of face k are rows 4k..4k+3, the last one in the middle
    parents : (E, 2) int; new vertex `count + e` is the midpoint of edge e

    Examples
    --------
    >>> split_faces(np.array([[0, 1, 2]]), 3)[0].shape
    (4, 3)
    """
    parents, edge, _ = unique_edges(faces)
    x, y, z = (count + edge).reshape(3, -1)
    a, b, c = faces.T
    finer = np.stack([np.stack(t, 1) for t in ((a, x, z), (x, b, y), (z, y, c), (x, y, z))], axis=1)
    return finer.reshape(-1, 3), parents


def midpoint_matrix(parents: Ints, count: int) -> sp.csr_matrix:
    """Sparse (count + E, count) matrix that keeps old values and averages them at new vertices."""
    new = np.arange(len(parents))
    middle = sp.coo_matrix(
        (np.full(2 * len(parents), 0.5), (np.concatenate([new, new]), parents.T.ravel())), shape=(len(parents), count)
    )
    return sp.vstack([sp.identity(count), middle]).tocsr()


def loop_matrix(faces: Ints, count: int) -> sp.csr_matrix:
    """Sparse (count + E, count) matrix of one step of Loop's scheme with crease rules at the border.

    Source: C. Loop, Smooth Subdivision Surfaces Based on Triangles (1987), with the simple interior weight of
    Warren: 3/16 at valence three, 3 / (8 n) elsewhere.
    """
    parents, edge, used = unique_edges(faces)
    opposite = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    inner = used == 2
    rows, columns, values = [], [], []

    def add(row: Ints, column: Ints, value: np.ndarray | float) -> None:
        rows.append(row)
        columns.append(column)
        values.append(np.broadcast_to(value, row.shape))

    new = np.arange(len(parents)) + count
    end_weight = np.where(inner, 3 / 8, 1 / 2)
    add(new, parents[:, 0], end_weight)
    add(new, parents[:, 1], end_weight)
    inner_corner = inner[edge]
    add(new[edge[inner_corner]], opposite[inner_corner], 1 / 8)
    valence = np.bincount(parents.ravel(), minlength=count)
    # Two edges of the border meet in a vertex, or more where holes touch: together they weigh 1/4.
    border_valence = np.bincount(parents[~inner].ravel(), minlength=count)
    on_border = border_valence > 0
    border_weight = 1 / (4 * np.maximum(border_valence, 1))
    weight = np.where(valence == 3, 3 / 16, 3 / (8 * np.maximum(valence, 1)))
    for start, end in ((0, 1), (1, 0)):
        i, j = parents[:, start], parents[:, end]
        add(i, j, np.where(on_border[i], np.where(inner, 0.0, border_weight[i]), weight[i]))
    old = np.arange(count)
    add(old, old, np.where(on_border, 3 / 4, 1 - valence * weight))
    parts = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sp.coo_matrix(parts, shape=(count + len(parents), count)).tocsr()
