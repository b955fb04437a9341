"""The fine patch that carries skin detail: nested refinement of the face around a hole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, edge_lengths, unique_edges, vertex_normals
from facecom.geometry.subdivision import loop_matrix, midpoint_matrix, split_faces

RICHARDSON_STEPS = 12
"""Iterations that make the subdivided surface pass through the face's own vertices."""
MAX_SPLITS = 6
"""Rounds of halving the edges that subdivision left too long."""
MAX_MEDIAN_OVER_EDGE = 1.35
"""Median edge over the longest allowed one up to which no further level of subdivision is made."""


@dataclass(frozen=True, eq=False)
class FinePatch:
    """Nested refinement of the part of a face around a hole: P vertices, the first C of them on the coarse level.

    Parameters
    ----------
    mesh : Mesh
        The smooth fine surface, mm, with the face's uv where it has one.
    normals : (P, 3) float
        Unit normals of the smooth surface.
    coarse : Mesh
        The level on which smooth fields are solved; its vertices are the first ones of `mesh`.
    prolongation : (P, C) sparse
        Takes smooth fields from `coarse` to `mesh` (Loop's weights).
    face_interpolation : (P, V) sparse
        Interpolates values of the face's vertices linearly onto the patch.
    """

    mesh: Mesh
    normals: Floats
    coarse: Mesh
    prolongation: sp.csr_matrix
    face_interpolation: sp.csr_matrix

    @property
    def nearest_face_vertex(self) -> Ints:
        """Index of the face vertex with the largest share in each vertex of the coarse level, (C,)."""
        rows = self.face_interpolation[: len(self.coarse.vertices)]
        return np.asarray(rows.argmax(axis=1)).ravel().astype(np.int64)


def split_long_edges(faces: Ints, vertices: Floats, length: float) -> tuple[Ints, Ints]:
    """Split every edge longer than `length` at its midpoint, conforming, old vertices first.

    Parameters
    ----------
    faces : (F, 3) int
    vertices : (V, 3) float, mm
    length : float, mm

    Returns
    -------
    faces : (G, 3) int
    parents : (M, 2) int; new vertex `V + m` is the midpoint of that edge

    Examples
    --------
    >>> corners = np.array([[0.0, 0, 0], [2, 0, 0], [0, 1, 0]])
    >>> len(split_long_edges(np.array([[0, 1, 2]]), corners, 1.5)[0])
    3
    """
    edges, edge_of_corner, _ = unique_edges(faces)
    long = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1) > length
    number = np.full(len(edges), -1)
    number[long] = len(vertices) + np.arange(long.sum())
    middle = number[edge_of_corner.reshape(3, -1).T]
    position = np.concatenate([vertices, vertices[edges[long]].mean(1)])
    parts = [faces[(middle < 0).all(1)]]
    for turn in range(3):
        a, b, c = (faces[:, (turn + k) % 3] for k in range(3))
        x, y, z = (middle[:, (turn + k) % 3] for k in range(3))
        one = (x >= 0) & (y < 0) & (z < 0)
        parts.append(_rows(one, (a, x, c), (x, b, c)))
        two = (x >= 0) & (y >= 0) & (z < 0)
        across = np.linalg.norm(position[a] - position[y], axis=1) < np.linalg.norm(position[x] - position[c], axis=1)
        parts.append(_rows(two, (x, b, y)))
        parts.append(_rows(two & across, (a, x, y), (a, y, c)))
        parts.append(_rows(two & ~across, (a, x, c), (x, y, c)))
    a, b, c = faces.T
    x, y, z = middle.T
    parts.append(_rows(np.all(middle >= 0, axis=1), (a, x, z), (x, b, y), (z, y, c), (x, y, z)))
    return np.concatenate(parts), edges[long]


def _rows(chosen: Bools, *corners: tuple[Ints, Ints, Ints]) -> Ints:
    return np.concatenate([np.stack(corner, axis=1)[chosen] for corner in corners])


def refine_patch(face: Mesh, missing: Bools, *, border_mm: float, edge_mm: float, coarse_mm: float) -> FinePatch:
    """Refine the face around its missing vertices until no edge is longer than `edge_mm`.

    Levels of Loop's scheme, made to pass through the face's own vertices, come first; the few edges that stay too
    long are then halved where they are.

    Parameters
    ----------
    face : Mesh, mm
    missing : (V,) bool, the vertices that the scan does not cover
    border_mm : float, how far the patch reaches over the observed skin
    edge_mm : float, longest edge of the result
    coarse_mm : float, the median edge at which smooth fields are solved, at most

    Raises
    ------
    ValueError
        When nothing is missing.
    """
    if not missing.any():
        raise ValueError("no vertex of the face is missing, so there is no patch to refine")
    near = cKDTree(face.vertices[missing]).query(face.vertices, distance_upper_bound=border_mm)[0] < np.inf
    part, used = face.submesh(near[face.faces].any(1))
    linear = sp.csr_matrix((np.ones(len(used)), (np.arange(len(used)), used)), shape=(len(used), len(face.vertices)))
    faces, count, smooth = part.faces, len(used), sp.identity(len(used), format="csr")
    edge = float(np.median(edge_lengths(part)))
    coarse_count, coarse_faces = count, faces
    while edge > MAX_MEDIAN_OVER_EDGE * edge_mm:
        weights = loop_matrix(faces, count)
        faces, parents = split_faces(faces, count)
        linear = midpoint_matrix(parents, count) @ linear
        smooth = weights @ smooth
        count, edge = count + len(parents), 0.5 * edge
        if 2 * edge > coarse_mm:
            coarse_count, coarse_faces = count, faces
    vertices = smooth @ _interpolating_control(smooth[: len(used)], part.vertices)
    prolongation = _loop_prolongation(coarse_count, coarse_faces, count)
    coarse = Mesh(vertices[:coarse_count], coarse_faces)
    for _ in range(MAX_SPLITS):
        faces, parents = split_long_edges(faces, vertices, edge_mm)
        if not len(parents):
            break
        step = midpoint_matrix(parents, len(vertices))
        vertices, linear, prolongation = step @ vertices, step @ linear, step @ prolongation
    fine = Mesh(vertices, faces, uv=None if face.uv is None else linear @ face.uv)
    return FinePatch(fine, vertex_normals(vertices, faces), coarse, prolongation.tocsr(), linear.tocsr())


def _loop_prolongation(count: int, faces: Ints, fine_count: int) -> sp.csr_matrix:
    """Loop's weights from the level with `count` vertices to the level with `fine_count`."""
    matrix = sp.identity(count, format="csr")
    while matrix.shape[0] < fine_count:
        size = matrix.shape[0]
        matrix = loop_matrix(faces, size) @ matrix
        faces, _ = split_faces(faces, size)
    return matrix.tocsr()


def _interpolating_control(weights: sp.csr_matrix, target: Floats) -> Floats:
    """Control points whose subdivision passes (nearly) through `target`, by Richardson's iteration."""
    control = target.copy()
    for _ in range(RICHARDSON_STEPS):
        control += target - weights @ control
    return control
