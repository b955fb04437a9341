"""Closest points and rays on a triangle surface (Open3D's Embree scene)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.mesh import Floats, Ints, Mesh, vertex_normals


@dataclass(frozen=True, eq=False)
class Closest:
    """Closest points of Q query points.

    points : (Q, 3) on the surface; faces : (Q,) index of the face; barycentric : (Q, 3); distance : (Q,), mm.
    """

    points: Floats
    faces: Ints
    barycentric: Floats
    distance: Floats


@dataclass(frozen=True, eq=False)
class Hits:
    """First hits of Q rays.

    depth : (Q,) along the given direction, inf where nothing is hit; faces : (Q,), -1 there; barycentric : (Q, 3).
    """

    depth: Floats
    faces: Ints
    barycentric: Floats


@dataclass(frozen=True, eq=False)
class AllHits:
    """Every hit of some rays, by ray and then by depth.

    rays : (N,) index of the ray; depth : (N,) along the given direction; faces : (N,) index of the face.
    """

    rays: Ints
    depth: Floats
    faces: Ints


class Surface:
    """A triangle surface ready for queries; the bounding-volume tree is built once.

    Embree works in float32, so the scene is centred, and closest points and distances are recomputed in float64
    from the face that it reports.

    Examples
    --------
    >>> flat = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    >>> float(Surface(flat).closest([[0.2, 0.2, 3.0]]).distance[0])
    3.0
    """

    def __init__(self, mesh: Mesh) -> None:
        import open3d as o3d

        if not len(mesh.faces):
            raise ValueError("a surface needs at least one face")
        self.mesh = mesh
        self._centre = 0.5 * (mesh.vertices.min(0) + mesh.vertices.max(0))
        if not np.isfinite(self._centre).all():
            raise ValueError("a surface needs finite vertices; remove the others first")
        self._tensor = o3d.core.Tensor
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(
            self._tensor(np.ascontiguousarray(mesh.vertices - self._centre, np.float32)),
            self._tensor(np.ascontiguousarray(mesh.faces, np.uint32)),
        )

    def closest(self, points: ArrayLike) -> Closest:
        """Closest surface point of each of (Q, 3) points; ValueError where one is not finite."""
        query = np.asarray(points, float)
        if not np.isfinite(query).all():
            raise ValueError("a query point is not finite; remove such points first")
        answer = self._scene.compute_closest_points(
            self._tensor(np.ascontiguousarray(query - self._centre, np.float32))
        )
        faces = answer["primitive_ids"].numpy().astype(np.int64)
        corners = self.mesh.vertices.take(self.mesh.faces.take(faces, axis=0), axis=0)
        weights = closest_barycentric(query, corners)
        found = np.einsum("qk,qkd->qd", weights, corners)
        return Closest(found, faces, weights, np.linalg.norm(found - query, axis=1))

    def cast(self, origins: ArrayLike, directions: ArrayLike) -> Hits:
        """First hit of each of (Q, 3) rays."""
        start, direction = np.broadcast_arrays(np.asarray(origins, float) - self._centre, np.asarray(directions, float))
        rays = np.concatenate([start, direction], axis=-1).astype(np.float32)
        answer = self._scene.cast_rays(self._tensor(np.ascontiguousarray(rays)))
        depth = answer["t_hit"].numpy().astype(float)
        faces = np.where(np.isfinite(depth), answer["primitive_ids"].numpy().astype(np.int64), -1)
        uv = answer["primitive_uvs"].numpy().astype(float)
        return Hits(depth, faces, np.concatenate([1 - uv.sum(-1, keepdims=True), uv], axis=-1))

    def cast_through(self, origins: ArrayLike, directions: ArrayLike) -> AllHits:
        """Every hit of each of (Q, 3) rays; where a ray meets an edge, both of its faces may be named."""
        start, direction = np.broadcast_arrays(np.asarray(origins, float) - self._centre, np.asarray(directions, float))
        rays = np.concatenate([start, direction], axis=-1).astype(np.float32)
        answer = self._scene.list_intersections(self._tensor(np.ascontiguousarray(rays)))
        ray, depth = answer["ray_ids"].numpy().astype(np.int64), answer["t_hit"].numpy().astype(float)
        order = np.lexsort((depth, ray))
        return AllHits(ray[order], depth[order], answer["primitive_ids"].numpy().astype(np.int64)[order])


def height_over(points: Floats, place: Closest, *, face: Mesh) -> Floats:
    """Height of points (N, 3) above their closest points on a surface, along its normals, (N,); negative behind it.

    Examples
    --------
    >>> flat, points = Mesh([[0, 0, 0], [9, 0, 0], [0, 9, 0]], [[0, 1, 2]]), np.array([[1.0, 1, 2], [2, 1, -3]])
    >>> height_over(points, Surface(flat).closest(points), face=flat).tolist()
    [2.0, -3.0]
    """
    normals = vertex_normals(face.vertices, face.faces)[face.faces[place.faces]]
    return np.asarray(np.einsum("nd,nk,nkd->n", points - place.points, place.barycentric, normals))


def closest_barycentric(points: Floats, corners: Floats) -> Floats:
    """Barycentric coordinates (Q, 3) of the point of each triangle (Q, 3, 3) closest to each point (Q, 3).

    Ericson, Real-Time Collision Detection (2005), section 5.1.5, by clamping: inside where the plane projection
    is inside, else the closest of the three edges.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (np.einsum("qd,qd->q", x, y) for x, y in ((ab, ab), (ab, ac), (ac, ac)))
    d20, d21 = np.einsum("qd,qd->q", ap, ab), np.einsum("qd,qd->q", ap, ac)
    area = d00 * d11 - d01 * d01
    safe = np.where(area > 0, area, 1.0)
    v, w = (d11 * d20 - d01 * d21) / safe, (d00 * d21 - d01 * d20) / safe
    inner = np.stack([1 - v - w, v, w], axis=1)
    outside = (area <= 0) | (inner.min(1) < 0)
    if not outside.any():
        return inner
    inner[outside] = _closest_on_edges(points[outside], corners[outside])
    return inner


def _closest_on_edges(points: Floats, corners: Floats) -> Floats:
    """The same on the border of each triangle."""
    best = np.full(len(points), np.inf)
    out = np.zeros((len(points), 3))
    for i, j in ((0, 1), (1, 2), (2, 0)):
        edge = corners[:, j] - corners[:, i]
        length = np.einsum("qd,qd->q", edge, edge)
        t = np.einsum("qd,qd->q", points - corners[:, i], edge) / np.where(length > 0, length, 1.0)
        t = np.clip(t, 0.0, 1.0)
        offset = points - corners[:, i] - t[:, None] * edge
        squared = np.einsum("qd,qd->q", offset, offset)
        closer = squared < best
        best[closer] = squared[closer]
        out[closer] = 0.0
        out[closer, i], out[closer, j] = 1 - t[closer], t[closer]
    return out
