"""The brush: from a stroke on the screen to vertices of a mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh, unit, vertex_normals

DABS_PER_RADIUS, MAX_DABS = 3.0, 200
"""Density of the points along a stroke, so that the dabs leave no gap, and their largest number."""


@dataclass(frozen=True, eq=False)
class ViewerCamera:
    """The camera of a page.

    position : (3,) ; rotation : (3, 3), camera (x right, y down, z forward) -> world; fov : vertical, radians;
    aspect : width by height of the picture.
    """

    position: Floats
    rotation: Floats
    fov: float
    aspect: float

    def rays(self, points: ArrayLike) -> Floats:
        """Directions (N, 3) through points (N, 2) of the screen, 0..1 from its upper left corner.

        Examples
        --------
        >>> ViewerCamera(np.zeros(3), np.eye(3), 1.0, 1.5).rays([[0.5, 0.5]]).tolist()
        [[0.0, 0.0, 1.0]]
        """
        image = (2.0 * np.asarray(points, float) - 1.0) * np.tan(0.5 * self.fov) * np.array([self.aspect, 1.0])
        return unit(np.column_stack([image, np.ones(len(image))]) @ self.rotation.T)


class Brush:
    """Finds the vertices that a stroke touches.

    Parameters
    ----------
    mesh : Mesh with faces, in the displayed frame
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._surface = Surface(mesh)
        self._normals = vertex_normals(mesh.vertices, mesh.faces)
        self._tree = cKDTree(mesh.vertices)

    def stroke(self, camera: ViewerCamera, start: ArrayLike, end: ArrayLike, *, radius_mm: float) -> Ints:
        """Vertices within the radius of the visible points along a line on the screen, on the visible side.

        Parameters
        ----------
        camera : ViewerCamera
        start, end : (2,) points of the screen, 0..1
        radius_mm : float, of the brush on the surface

        Returns
        -------
        (N,) int, ascending
        """
        a, b = np.asarray(start, float), np.asarray(end, float)
        depths = self._surface.cast(camera.position, camera.rays(np.stack([a, b]))).depth
        depth = float(np.min(depths[np.isfinite(depths)], initial=np.inf))
        if not np.isfinite(depth):
            depth = float(np.linalg.norm(self._mesh.vertices.mean(axis=0) - camera.position))
        length = 2.0 * depth * np.tan(0.5 * camera.fov) * float(np.hypot(*((b - a) * [camera.aspect, 1.0])))
        steps = int(np.clip(np.ceil(DABS_PER_RADIUS * length / radius_mm), 1, MAX_DABS))
        rays = camera.rays(a + np.linspace(0.0, 1.0, steps + 1)[:, None] * (b - a))
        return self._touched(camera, rays, radius_mm)

    def _touched(self, camera: ViewerCamera, rays: Floats, radius_mm: float) -> Ints:
        hits = self._surface.cast(camera.position, rays)
        is_hit = np.isfinite(hits.depth)
        if not is_hit.any():
            return np.zeros(0, np.int64)
        points = camera.position + hits.depth[is_hit, None] * rays[is_hit]
        corners = self._mesh.faces[hits.faces[is_hit]]
        normals = np.einsum("pkd,pk->pd", self._normals[corners], hits.barycentric[is_hit])
        touched = []
        for normal, neighbours in zip(normals, self._tree.query_ball_point(points, radius_mm), strict=True):
            index = np.asarray(neighbours, np.int64)
            # the other wall of a nostril and the back of an ear are within the radius as well
            touched.append(index[self._normals[index] @ normal > 0.0])
        return np.unique(np.concatenate(touched))
