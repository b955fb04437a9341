"""Membranes on a mesh: values that are as even as can be, or follow given differences (Perez et al. 2003)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh

FREE_WEIGHT = 1e-6
"""Weight of what is not given: it keeps parts that touch nothing given solvable."""


def edge_differences(edges: Ints, count: int) -> sp.csr_matrix:
    """Matrix (E, count) of the difference of each edge's second vertex to its first.

    Examples
    --------
    >>> edge_differences(np.array([[0, 2]]), 3) @ np.array([1.0, 7.0, 5.0])
    array([4.])
    """
    rows, ones = np.arange(len(edges)), np.ones(len(edges))
    places = (np.r_[rows, rows], np.r_[edges[:, 0], edges[:, 1]])
    return sp.coo_matrix((np.r_[-ones, ones], places), (len(edges), count)).tocsr()


def extend_smoothly(mesh: Mesh, values: Floats, given: Bools, *, hold: float = 0.3) -> Floats:
    """Membrane (C, B) near values that are given.

    Parameters
    ----------
    mesh : Mesh, C vertices, mm
    values : (C, B) float
    given : (C,) bool
    hold : float, 1 / mm²; the larger, the nearer the membrane comes to the given values

    Examples
    --------
    >>> square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> values = np.array([[2.0], [0], [0], [0]])
    >>> extend_smoothly(Mesh(square, [[0, 1, 2], [0, 2, 3]]), values, values[:, 0] > 0, hold=9.0).round(3).ravel()
    array([2., 2., 2., 2.])
    """
    stiffness = cotangent_stiffness(mesh.vertices, mesh.faces)
    area = vertex_areas(mesh.vertices, mesh.faces)
    weight = sp.diags(np.where(given, hold, FREE_WEIGHT) * area)
    return splu((stiffness + weight).tocsc()).solve(weight @ np.where(given[:, None], values, 0.0))
