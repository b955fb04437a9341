"""The brush: from the pointer on the screen to vertices of the scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh, unit, vertex_normals


@dataclass(frozen=True, eq=False)
class Eye:
    """From where a page looks.

    position : (3,) ; rotation : (3, 3), camera (x right, y down, z forward) -> world; fov : vertical, radians;
    aspect : width by height of the picture.
    """

    position: Floats
    rotation: Floats
    fov: float
    aspect: float

    def rays(self, points: ArrayLike) -> Floats:
        """Directions (N, 3) through (N, 2) points of the screen, 0..1 from its upper left corner.

        Examples
        --------
        >>> Eye(np.zeros(3), np.eye(3), 1.0, 1.5).rays([[0.5, 0.5]]).tolist()
        [[0.0, 0.0, 1.0]]
        """
        across = (2.0 * np.asarray(points, float) - 1.0) * np.tan(0.5 * self.fov) * np.array([self.aspect, 1.0])
        return unit(np.column_stack([across, np.ones(len(across))]) @ self.rotation.T)


class Brush:
    """Finds what a stroke touches on a mesh.

    Parameters
    ----------
    mesh : Mesh with faces, in the frame that is shown
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._surface = Surface(mesh)
        self._normals = vertex_normals(mesh.vertices, mesh.faces)
        self._tree = cKDTree(mesh.vertices)

    def stroke(self, eye: Eye, start: ArrayLike, end: ArrayLike, *, radius_mm: float) -> Ints:
        """Vertices within the radius of what is seen along a line on the screen, on the side that is seen.

        Parameters
        ----------
        eye : Eye
        start, end : (2,) points of the screen, 0..1
        """
        a, b = np.asarray(start, float), np.asarray(end, float)
        # the next point is found a third of the radius on, at the distance of what is painted
        near = self._surface.cast(eye.position, eye.rays(np.stack([a, b]))).depth
        seen = float(np.min(near[np.isfinite(near)], initial=np.inf))
        if not np.isfinite(seen):
            seen = float(np.linalg.norm(self._mesh.vertices.mean(axis=0) - eye.position))
        length = 2.0 * seen * np.tan(0.5 * eye.fov) * float(np.hypot(*((b - a) * [eye.aspect, 1.0])))
        steps = int(np.clip(np.ceil(3.0 * length / radius_mm), 1, 200))
        rays = eye.rays(a + np.linspace(0.0, 1.0, steps + 1)[:, None] * (b - a))
        return self._around(eye, rays, radius_mm)

    def _around(self, eye: Eye, rays: Floats, radius_mm: float) -> Ints:
        hits = self._surface.cast(eye.position, rays)
        met = np.isfinite(hits.depth)
        if not met.any():
            return np.zeros(0, np.int64)
        points = eye.position + hits.depth[met, None] * rays[met]
        corners = self._mesh.faces[hits.faces[met]]
        facing = np.einsum("pkd,pk->pd", self._normals[corners], hits.barycentric[met])
        touched = []
        for normal, near in zip(facing, self._tree.query_ball_point(points, radius_mm), strict=True):
            index = np.asarray(near, np.int64)
            # a nostril's other wall and the back of an ear are near as well
            touched.append(index[self._normals[index] @ normal > 0.0])
        return np.unique(np.concatenate(touched))
