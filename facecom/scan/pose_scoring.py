"""Scores of many rigid poses at once against a distance grid, and ICP steps that improve them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facecom.geometry.mesh import Floats, Ints
from facecom.scan.oriented_samples import Samples

GRID_MARGIN_MM = 30.0
"""Space around the samples that the distance grid covers."""
MAX_GRID_CELLS = 96
"""Cells of the distance grid along its longest side; larger scans get larger cells."""
MAX_ROTATION_RAD, MAX_SHIFT_MM = 0.3, 20
"""Largest rotation about each axis and translation along each that one ICP step may make."""
ICP_DAMPING, ICP_DAMPING_FLOOR = 1e-6, 1e-9
"""Levenberg-Marquardt damping of an ICP step, as a share of the trace, and its least value."""
BATCH = 2000
"""Hypotheses scored at a time by one thread."""


@dataclass(frozen=True, eq=False)
class Poses:
    """H rigid poses: rotations (H, 3, 3) and translations (H, 3), mm."""

    rotations: Floats
    translations: Floats

    def __len__(self) -> int:
        return len(self.rotations)

    def __getitem__(self, chosen: Ints | slice) -> Poses:
        return Poses(self.rotations[chosen], self.translations[chosen])


class DistanceGrid:
    """Nearest sample of the scan for any point, read from a voxel grid."""

    def __init__(self, samples: Samples, *, voxel_mm: float) -> None:
        low, high = samples.points.min(0) - GRID_MARGIN_MM, samples.points.max(0) + GRID_MARGIN_MM
        self.voxel = max(voxel_mm, float((high - low).max()) / MAX_GRID_CELLS)
        self.low = low.astype(np.float32)
        shape = np.ceil((high - low) / self.voxel).astype(np.int32) + 1
        owner = np.full(shape, -1, np.int32)
        cell = np.round((samples.points - low) / self.voxel).astype(int)
        owner[tuple(cell.T)] = np.arange(len(cell))
        nearest = ndimage.distance_transform_edt(owner < 0, return_distances=False, return_indices=True)
        self.owner = owner[tuple(nearest)].ravel()
        self.shape = shape
        self.points = samples.points.astype(np.float32)
        self.normals = samples.normals.astype(np.float32)

    def lookup(self, points: NDArray[np.floating]) -> Ints:
        """Index of the nearest sample of each point, (...,)."""
        cell = np.rint((points - self.low) / np.float32(self.voxel)).astype(np.int32)
        cell = np.clip(cell, 0, self.shape - 1)
        return self.owner[(cell[..., 0] * self.shape[1] + cell[..., 1]) * self.shape[2] + cell[..., 2]]


class PoseScorer:
    """Compares some points of a template, moved by poses, with the samples of a scan.

    Single precision: a pose of the search is good to millimetres, and half the memory moves in half the time.
    """

    def __init__(self, grid: DistanceGrid, template: Samples, *, pick: Ints) -> None:
        self._grid = grid
        self._points = template.points[pick].astype(np.float32)
        self._normals = template.normals[pick].astype(np.float32)
        self._weights = template.weights[pick] / template.weights[pick].sum()

    def score(self, poses: Poses, *, sigma_mm: float) -> Floats:
        """Weighted share of the points that each pose brings onto the samples, normals included, (H,)."""

        def score(start: int) -> Floats:
            *_, squared, cosine = self._matches(poses[start : start + BATCH])
            return (cosine**2 * np.exp(-0.5 * squared / sigma_mm**2)) @ self._weights

        with ThreadPoolExecutor() as pool:
            return np.concatenate(list(pool.map(score, range(0, len(poses), BATCH))))

    def icp_step(self, poses: Poses, *, sigma_mm: float) -> Poses:
        """One robust point-to-plane step of all poses (Chen and Medioni 1992; weights of Geman and McClure 1987)."""
        points, target, along, squared, cosine = self._matches(poses)
        weight = cosine**2 / (1.0 + squared / sigma_mm**2) ** 2
        centre = points.mean(1, keepdims=True)
        rows = np.concatenate([np.cross(points - centre, target), target], axis=-1)
        weighted = (rows * weight[..., None]).transpose(0, 2, 1)
        normal = (weighted @ rows).astype(float)
        trace = np.trace(normal, axis1=1, axis2=2)[:, None, None]
        damping = ICP_DAMPING * trace * np.eye(6) + ICP_DAMPING_FLOOR * np.eye(6)
        step = np.linalg.solve(normal + damping, weighted @ along[..., None])[..., 0]
        rotation = _rotations(np.clip(step[:, :3], -MAX_ROTATION_RAD, MAX_ROTATION_RAD))
        shift = np.clip(step[:, 3:], -MAX_SHIFT_MM, MAX_SHIFT_MM)
        moved = np.einsum("hij,hj->hi", rotation, poses.translations - centre[:, 0])
        return Poses(rotation @ poses.rotations, moved + centre[:, 0] + shift)

    def _matches(self, poses: Poses) -> tuple[NDArray[np.float32], ...]:
        """Moved points and normals of their samples (H, N, 3); distances along those, squared distances and cosines
        of the normals, (H, N).
        """
        rotations = poses.rotations.astype(np.float32).transpose(0, 2, 1)
        points = self._points @ rotations + poses.translations.astype(np.float32)[:, None]
        owner = self._grid.lookup(points)
        offset = self._grid.points[owner] - points
        target = self._grid.normals[owner]
        along = np.einsum("hnd,hnd->hn", offset, target)
        cosine = np.maximum(np.einsum("hnd,hnd->hn", self._normals @ rotations, target), 0.0)
        # samples are one voxel apart: what lies within half a voxel along the surface is no distance
        squared_aside = np.maximum(np.einsum("hnd,hnd->hn", offset, offset) - along**2, 0.0)
        squared = along**2 + np.maximum(np.sqrt(squared_aside) - np.float32(self._grid.voxel), 0.0) ** 2
        return points, target, along, squared, cosine


def _rotations(vectors: Floats) -> Floats:
    """Rotations (H, 3, 3) by rotation vectors (H, 3) (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    k = np.zeros((len(vectors), 3, 3))
    k[:, 2, 1], k[:, 0, 2], k[:, 1, 0] = vectors.T
    k -= k.transpose(0, 2, 1)
    safe = np.where(angle > 1e-9, angle, 1.0)
    return np.eye(3) + np.sin(angle) / safe * k + (1 - np.cos(angle)) / safe**2 * (k @ k)
