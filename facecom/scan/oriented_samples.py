"""Oriented points of a surface, evenly spread, by which it is compared with others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Floats, Ints, Mesh, face_cross, unit

MIN_COHERENCE = 0.2
"""Length of the mean of the normals in a voxel below which it shows no side: hair, or two sheets in one voxel."""
BASE_WEIGHT, FULL_RELIEF_PERCENTILE = 0.2, 90
"""Weight of a point without relief (one with full relief weighs 1 more), and the percentile that counts as full."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Oriented points (N, 3), normals as they are and averaged, and the weight of each in a score, (N,)."""

    points: Floats
    normals: Floats
    smooth_normals: Floats
    weights: Floats


def oriented_samples(
    mesh: Mesh, *, voxel_mm: float, smooth_radius_mm: float, relief_radius_mm: float, flip: bool = False
) -> Samples:
    """The surface averaged over the cells of a grid.

    Parameters
    ----------
    mesh : Mesh with faces, mm
    voxel_mm : size of the cells
    smooth_radius_mm : radius over which the averaged normals are taken
    relief_radius_mm : radius of the mean from which the relief of a point is measured, for its weight
    flip : whether the triangles face inwards
    """
    cross = face_cross(mesh.vertices, mesh.faces) * (-0.5 if flip else 0.5)
    area = np.linalg.norm(cross, axis=1)
    centres = mesh.vertices[mesh.faces].mean(1)
    cell = np.floor(centres / voxel_mm).astype(np.int64)
    _, index = np.unique(cell, axis=0, return_inverse=True)
    index = index.ravel()
    total = np.maximum(np.bincount(index, area), 1e-12)
    points = _sums(centres * area[:, None], index) / total[:, None]
    normal_sums = _sums(cross, index)
    keep = np.linalg.norm(normal_sums, axis=1) > MIN_COHERENCE * total
    points, normal_sums = points[keep], normal_sums[keep]
    tree = cKDTree(points)
    pairs = tree.sparse_distance_matrix(tree, smooth_radius_mm, output_type="coo_matrix").tocsr()
    pairs.data[:] = 1.0
    smooth = unit(normal_sums + pairs @ normal_sums)
    return Samples(points, unit(normal_sums), smooth, _relief_weights(points, relief_radius_mm))


def _sums(values: Floats, index: Ints) -> Floats:
    """Sums (G, 3) of the rows of values (N, 3) of each group."""
    return np.stack([np.bincount(index, values[:, k]) for k in range(3)], axis=1)


def _relief_weights(points: Floats, radius_mm: float) -> Floats:
    """Weight of each point, (N,): more where the surface stands off its mean, as at the nose."""
    tree = cKDTree(points)
    near = tree.sparse_distance_matrix(tree, radius_mm, output_type="coo_matrix").tocsr()
    near.data[:] = 1.0
    around = (near @ points + points) / (np.asarray(near.sum(1)).ravel() + 1)[:, None]
    relief = np.linalg.norm(points - around, axis=1)
    full = max(float(np.percentile(relief, FULL_RELIEF_PERCENTILE)), 1e-12)  # a scan within one voxel has none
    return BASE_WEIGHT + np.clip(relief / full, 0, 1) ** 2


def farthest_points(points: Floats, count: int) -> Ints:
    """Indices of up to `count` well-spread rows, starting with the one nearest to the mean."""
    count = min(count, len(points))
    chosen = np.empty(count, np.int64)
    chosen[0] = np.argmin(np.linalg.norm(points - points.mean(0), axis=1))
    squared_distance = np.sum((points - points[chosen[0]]) ** 2, axis=1)
    for k in range(1, count):
        chosen[k] = np.argmax(squared_distance)
        squared_distance = np.minimum(squared_distance, np.sum((points - points[chosen[k]]) ** 2, axis=1))
    return chosen
