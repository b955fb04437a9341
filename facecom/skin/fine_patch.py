"""The fine patch that carries skin detail: nested refinement of the face, and its heights under the scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, edge_lengths, unique_edges, unit, vertex_normals
from facecom.geometry.subdivision import loop_matrix, midpoint_matrix, split_faces

RICHARDSON_STEPS = 12
MAX_SPLITS = 6


@dataclass(frozen=True, eq=False)
class FinePatch:
    """Nested refinement of the part of a face around what is missing.

    Parameters
    ----------
    mesh : Mesh
        The smooth fine surface, mm, with the face's uv where it has one.
    normals : (P, 3) float
        Unit normals of the smooth surface.
    coarse : Mesh
        The level on which smooth fields are solved; its vertices are the first ones of `mesh`.
    raise_matrix : (P, C) sparse
        Carries smooth fields from `coarse` to `mesh` (Loop's weights).
    face_matrix : (P, V) sparse
        Interpolates values of the face's vertices linearly onto the patch.
    """

    mesh: Mesh
    normals: Floats
    coarse: Mesh
    raise_matrix: sp.csr_matrix
    face_matrix: sp.csr_matrix

    @property
    def nearest_face(self) -> Ints:
        """Index of the face vertex with the largest share in each vertex of the coarse level, (C,)."""
        rows = self.face_matrix[: len(self.coarse.vertices)]
        return np.asarray(rows.argmax(axis=1)).ravel().astype(np.int64)


def split_long_edges(faces: Ints, vertices: Floats, length: float) -> tuple[Ints, Ints]:
    """Split every edge longer than `length` at its midpoint, conforming, old vertices first.

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
    border_mm : float, how far the patch reaches over the seen skin
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
    mesh, used = face.submesh(near[face.faces].any(1))
    pick = sp.csr_matrix((np.ones(len(used)), (np.arange(len(used)), used)), shape=(len(used), len(face.vertices)))
    faces, count = mesh.faces, len(used)
    smooth, linear = sp.identity(count, format="csr"), pick
    edge = float(np.median(edge_lengths(mesh)))
    coarse_size, coarse_faces = count, faces
    while edge > 1.35 * edge_mm:
        weights = loop_matrix(faces, count)
        faces, parents = split_faces(faces, count)
        linear = midpoint_matrix(parents, count) @ linear
        smooth = weights @ smooth
        count, edge = count + len(parents), 0.5 * edge
        if 2 * edge > coarse_mm:
            coarse_size, coarse_faces = count, faces
    position = smooth @ _interpolating_control(smooth[: len(used)], mesh.vertices)
    raising = _raise_from(coarse_size, coarse_faces, count)
    coarse = Mesh(position[:coarse_size], coarse_faces)
    for _ in range(MAX_SPLITS):
        faces, parents = split_long_edges(faces, position, edge_mm)
        if not len(parents):
            break
        step = midpoint_matrix(parents, len(position))
        position, linear, raising = step @ position, step @ linear, step @ raising
    uv = None if face.uv is None else linear @ face.uv
    fine = Mesh(position, faces, uv=uv)
    return FinePatch(fine, vertex_normals(position, faces), coarse, raising.tocsr(), linear.tocsr())


def _raise_from(size: int, faces: Ints, count: int) -> sp.csr_matrix:
    """Loop's weights from the level with `size` vertices up to the level with `count`."""
    matrix = sp.identity(size, format="csr")
    while matrix.shape[0] < count:
        matrix = loop_matrix(faces, matrix.shape[0]) @ matrix
        faces, _ = split_faces(faces, _old_count(matrix, faces))
    return matrix.tocsr()


def _old_count(matrix: sp.csr_matrix, faces: Ints) -> int:
    edges, _, _ = unique_edges(faces)
    return matrix.shape[0] - len(edges)


def _interpolating_control(weights: sp.csr_matrix, wanted: Floats) -> Floats:
    """Control points whose subdivision passes (nearly) through `wanted`, by Richardson's iteration."""
    control = wanted.copy()
    for _ in range(RICHARDSON_STEPS):
        control += wanted - weights @ control
    return control


@dataclass(frozen=True, eq=False)
class Heights:
    """What the scan shows over a patch.

    values : (P,) float, mm along the patch normals, zero where `seen` is False; seen : (P,) bool; faces : (P,) int,
    the triangle of the scan over each vertex, -1 where there is none.
    """

    values: Floats
    seen: Bools
    faces: Ints


def scan_heights(patch: FinePatch, surface: Surface, *, reach_mm: float, least_island: int = 200) -> Heights:
    """Height of the scan over each patch vertex along its normal.

    Skin that faces away, and islands of fewer than `least_island` vertices, count as not seen.
    """
    start = patch.mesh.vertices + reach_mm * patch.normals
    hits = surface.cast(start, -patch.normals)
    height = reach_mm - hits.depth
    seen = np.isfinite(height) & (np.abs(height) < reach_mm)
    corners = surface.mesh.vertices[surface.mesh.faces[np.where(seen, hits.faces, 0)]]
    upright = unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    seen &= np.einsum("pd,pd->p", upright, patch.normals) > 0.3
    seen &= _without_islands(patch.mesh.faces, seen, least_island)
    return Heights(np.where(seen, height, 0.0), seen, np.where(seen, hits.faces, -1))


def smooth_heights(
    patch: FinePatch, heights: Heights, *, cutoff_mm: float, decay_mm: float, uncrease_mm: float = 0.0
) -> Floats:
    """Low-pass of the heights over the whole patch, value and slope continuous into what is missing, (P,) mm.

    A smoothing spline on the coarse level: it minimises the squared misfit where seen plus the squared Laplacian, so
    that waves shorter than `cutoff_mm` are taken out, and fades to zero over `decay_mm` where nothing is seen. Within
    `uncrease_mm` of the rim a sharp bend of the face itself, where what was made up meets what was seen, counts as
    bending too, so that it is not the heights but the whole surface that goes on without a crease.
    """
    coarse = patch.coarse
    area_fine = vertex_areas(patch.mesh.vertices, patch.mesh.faces)
    area = np.maximum(vertex_areas(coarse.vertices, coarse.faces), 1e-6)
    stiffness = cotangent_stiffness(coarse.vertices, coarse.faces)
    bending = stiffness @ sp.diags(1.0 / area) @ stiffness
    raising = patch.raise_matrix
    weight = area_fine * heights.seen
    covered = raising.T @ heights.seen.astype(float) / np.maximum(raising.T @ np.ones(len(weight)), 1e-12)
    data = raising.T @ sp.diags(weight) @ raising
    rest = sp.diags(area * (1.0 - covered) / decay_mm**4 + 1e-9 * area)
    stiff = (cutoff_mm / (2 * np.pi)) ** 4
    pull = raising.T @ (weight * heights.values)
    if uncrease_mm > 0:
        away = rim_distance(patch, heights.seen)[: len(area)]
        near = np.exp(-0.5 * (away / uncrease_mm) ** 2)
        pull -= stiff * (stiffness @ ((near / area) * _crease(coarse, stiffness, area, 2.0 * uncrease_mm)))
    solved = splu((data + stiff * (bending + rest)).tocsc()).solve(pull)
    return raising @ solved


def _crease(coarse: Mesh, stiffness: sp.csr_matrix, area: Floats, width_mm: float) -> Floats:
    """Curvature of the smooth face, times area, beyond what is even over `width_mm`: where it bends sharply, (C,)."""
    normals = vertex_normals(coarse.vertices, coarse.faces)
    bend = np.einsum("cd,cd->c", normals, stiffness @ coarse.vertices)
    even = splu((sp.diags(area) + 0.5 * width_mm**2 * stiffness).tocsc()).solve(bend)
    return bend - area * even


def rim_distance(patch: FinePatch, seen: Bools) -> Floats:
    """Distance of each patch vertex to the rim, mm: positive in what is missing, negative on the seen side."""
    edges, _, _ = unique_edges(patch.mesh.faces)
    across = edges[seen[edges[:, 0]] != seen[edges[:, 1]]]
    if not len(across):
        return np.where(seen, -np.inf, np.inf)
    rim = patch.mesh.vertices[across].mean(1)
    distance = cKDTree(rim).query(patch.mesh.vertices, workers=-1)[0]
    return np.where(seen, -distance, distance)


def _without_islands(faces: Ints, seen: Bools, least: int) -> Bools:
    edges, _, _ = unique_edges(faces)
    count = len(seen)
    inside = edges[seen[edges].all(1)]
    graph = sp.coo_matrix((np.ones(len(inside)), (inside[:, 0], inside[:, 1])), shape=(count, count))
    label = csgraph.connected_components(graph, directed=False)[1]
    return seen & (np.bincount(label)[label] >= least)
