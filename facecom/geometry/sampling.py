"""Points drawn evenly from a triangle surface."""

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
