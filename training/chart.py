"""The flat half disc as a chart of the surface: point location, metric, and curves on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from training.half_disc import HalfDisc


@dataclass(frozen=True, eq=False)
class Piece:
    """A curve on the half disc that mesh edges must follow, as points in the plane with an arc parameter.

    measure : (n,) integral of ds / h from the start
    """

    plane: np.ndarray
    measure: np.ndarray

    def at(self, measure: np.ndarray) -> np.ndarray:
        """Plane points at given values of the measure."""
        return np.stack([np.interp(measure, self.measure, self.plane[:, k]) for k in range(2)], axis=1)


@dataclass(frozen=True, eq=False)
class Chart:
    """Point location on the flat half disc."""

    disc: HalfDisc
    size: np.ndarray  # (V,) wanted edge length at level 2, mm
    finder: Callable = field(init=False)
    middles: cKDTree = field(init=False)
    slopes: np.ndarray = field(init=False)  # (F, 2, 3): plane step per 3D step
    metric: np.ndarray = field(init=False)  # (F, 2, 2): squared 3D length over squared size of a plane step

    def __post_init__(self) -> None:
        from matplotlib.tri import Triangulation

        d = self.disc
        finder = Triangulation(d.plane[:, 0], d.plane[:, 1], d.faces).get_trifinder()
        a, b, c = (d.faces[:, k] for k in range(3))
        solid = np.stack([d.vertices[b] - d.vertices[a], d.vertices[c] - d.vertices[a]], axis=2)
        flat = np.stack([d.plane[b] - d.plane[a], d.plane[c] - d.plane[a]], axis=2)
        jacobian = solid @ np.linalg.inv(flat)
        object.__setattr__(self, "finder", finder)
        object.__setattr__(self, "middles", cKDTree(d.plane[d.faces].mean(1)))
        object.__setattr__(self, "slopes", np.linalg.pinv(jacobian))
        squared_size = self.size[d.faces].mean(1)[:, None, None] ** 2
        object.__setattr__(self, "metric", np.swapaxes(jacobian, 1, 2) @ jacobian / squared_size)

    def locate(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Triangle and barycentric weights of plane points; a weight below zero tells that a point lies outside."""
        face = np.asarray(self.finder(points[:, 0], points[:, 1])).astype(int)
        weights = self._weights(points, np.maximum(face, 0))
        lost = np.flatnonzero((face < 0) | (weights.min(1) < -1e-9))
        if len(lost):
            near = self.middles.query(points[lost], k=24)[1]
            trial = np.stack([self._weights(points[lost], column) for column in near.T], axis=1)
            best = np.argmax(trial.min(2), axis=1)
            at = np.arange(len(lost))
            face[lost], weights[lost] = near[at, best], trial[at, best]
        return face, weights

    def _weights(self, points: np.ndarray, face: np.ndarray) -> np.ndarray:
        corners = self.disc.plane[self.disc.faces[face]]
        u, v, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
        area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        b = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / area
        c = (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / area
        return np.stack([1 - b - c, b, c], 1)

    def rows(self, points: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray]:
        """Barycentric rows (n, V) of plane points and their triangles; points outside go to the nearest triangle."""
        face, weights = self.locate(points)
        weights = np.clip(weights, 0, 1)
        weights /= weights.sum(1, keepdims=True)
        at = np.repeat(np.arange(len(points)), 3)
        d = self.disc
        matrix = sp.coo_matrix((weights.ravel(), (at, d.faces[face].ravel())), shape=(len(points), len(d.vertices)))
        return matrix.tocsr(), face
