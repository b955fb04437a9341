"""Discrete Laplacians of a triangle mesh."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from facecom.geometry.mesh import Floats, Ints, face_cross, unit, vertex_adjacency, vertex_normals

NORMAL_STEP = 0.5
"""Share of the way to the mean of the neighbours that a normal goes in one smoothing pass."""


def uniform_laplacian(faces: Ints, count: int) -> sp.csr_matrix:
    """Neighbour mean minus the vertex itself, (count, count); zero rows for lone vertices."""
    adjacency = vertex_adjacency(faces, count)
    degree = np.asarray(adjacency.sum(1)).ravel()
    scale = sp.diags(1.0 / np.maximum(degree, 1))
    return (scale @ adjacency - sp.diags((degree > 0).astype(float))).tocsr()


def cotangent_stiffness(vertices: Floats, faces: Ints) -> sp.csr_matrix:
    """Positive semidefinite cotangent matrix S, so that `x.T @ S @ x` is the Dirichlet energy (Pinkall 1993)."""
    count = len(vertices)
    rows, columns, values = [], [], []
    for k in range(3):
        i, j, o = faces[:, k], faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        u, v = vertices[i] - vertices[o], vertices[j] - vertices[o]
        area = np.linalg.norm(np.cross(u, v), axis=1)
        half = 0.5 * np.einsum("fd,fd->f", u, v) / np.maximum(area, 1e-12)
        rows += [i, j, i, j]
        columns += [j, i, i, j]
        values += [-half, -half, half, half]
    parts = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sp.coo_matrix(parts, shape=(count, count)).tocsr()


def vertex_areas(vertices: Floats, faces: Ints) -> Floats:
    """One third of the area of the faces around each vertex, (V,), mm²."""
    area = 0.5 * np.linalg.norm(face_cross(vertices, faces), axis=1)
    return np.bincount(faces.ravel(), np.repeat(area, 3), minlength=len(vertices)) / 3.0


def smoothed_normals(vertices: Floats, faces: Ints, *, passes: int) -> Floats:
    """Vertex normals averaged over rings of neighbours, so that what moves along them folds less easily.

    Parameters
    ----------
    vertices : (V, 3) float
    faces : (F, 3) int
    passes : int, rings of neighbours that are averaged; 0 for the plain normals

    Returns
    -------
    (V, 3) float, unit length

    Examples
    --------
    >>> roof = np.array([[0, 0, 0], [1, 0, 1], [1, 2, 1], [0, 2, 0], [2, 0, 0], [2, 2, 0.0]])
    >>> faces = np.array([[0, 1, 3], [1, 2, 3], [1, 4, 2], [4, 5, 2]])
    >>> plain, smooth = (smoothed_normals(roof, faces, passes=n)[0, 2] for n in (0, 3))
    >>> bool(plain < smooth < 1)
    True
    """
    normals = vertex_normals(vertices, faces)
    laplacian = uniform_laplacian(faces, len(vertices))
    for _ in range(passes):
        normals = unit(normals + NORMAL_STEP * (laplacian @ normals))
    return normals
