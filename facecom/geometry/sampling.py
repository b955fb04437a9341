"""Points of a triangle surface: drawn evenly at random, or set in rows on each triangle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.mesh import Floats, Ints, Mesh, face_areas


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points on a surface: points : (N, 3); faces : (N,), the face of each; barycentric : (N, 3)."""

    points: Floats
    faces: Ints
    barycentric: Floats


def sample_surface(mesh: Mesh, count: int, *, seed: int) -> SurfacePoints:
    """Draw `count` points, each part of the surface with a chance in proportion to its area.

    Raises
    ------
    ValueError
        When the surface has no area.

    Notes
    -----
    Square-root mapping of the unit square to a triangle: Osada et al., Shape Distributions (2002), section 4.1.

    Examples
    --------
    >>> sample_surface(Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]), 5, seed=0).points.shape
    (5, 3)
    """
    rng = np.random.default_rng(seed)
    areas = face_areas(mesh)
    if not areas.sum() > 0:
        raise ValueError(f"the surface has no area to draw points from ({len(mesh.faces)} faces)")
    faces = rng.choice(len(areas), count, p=areas / areas.sum())
    root, along = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - along), root * along], axis=1)
    points = np.einsum("nk,nkd->nd", weights, mesh.vertices[mesh.faces[faces]])
    return SurfacePoints(points, faces, weights)


def points_in_rows(mesh: Mesh, rows: Ints) -> tuple[Floats, Ints]:
    """The centroids of the parts of each triangle that is split into so many rows; none of one without rows.

    Parameters
    ----------
    mesh : Mesh
    rows : (F,) int; n rows give n (n + 1) / 2 points

    Returns
    -------
    points : (N, 3) float; faces : (N,) int, the triangle of each

    Examples
    --------
    >>> triangle = Mesh([[0, 0, 0], [3, 0, 0], [0, 3, 0]], [[0, 1, 2]])
    >>> points_in_rows(triangle, np.array([1]))[0].tolist()
    [[1.0, 1.0, 0.0]]
    """
    corners = mesh.vertices[mesh.faces]
    points, faces = [np.zeros((0, 3))], [np.zeros(0, np.int64)]
    for n in np.unique(rows[rows > 0]):
        which = np.flatnonzero(rows == n)
        i, j = np.array([(i, j) for i in range(n) for j in range(n - i)]).T
        weights = np.stack([i + 1 / 3, j + 1 / 3, n - i - j - 2 / 3], axis=1) / n
        points.append(np.einsum("pk,fkd->fpd", weights, corners[which]).reshape(-1, 3))
        faces.append(np.repeat(which, len(i)))
    return np.concatenate(points), np.concatenate(faces)
