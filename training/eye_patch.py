"""A patch on the eyeball that closes the opening between the lids."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, unit
from training.ict_surface import Ict

PATCH_RINGS = (0.84, 0.66, 0.46, 0.24)  # concentric rings of the eye patch, as shares of its radius


def eye_patch(
    ict: Ict, ring: np.ndarray, ball: tuple[int, int], count: int
) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """Concentric rings over the eye opening, lifted onto the eyeball by a constant offset."""
    size, total = len(ring), len(ict.vertices)
    sizes = [size] * len(PATCH_RINGS)
    mean = sp.csr_matrix((np.full(size, 1 / size), (np.zeros(size, int), ring)), shape=(1, total))
    pick = sp.csr_matrix((np.ones(size), (np.arange(size), ring)), shape=(size, total))
    ones = sp.csr_matrix(np.ones((size, 1)))
    parts = [share * pick + (1 - share) * (ones @ mean) for share in PATCH_RINGS] + [mean]
    block = sp.vstack(parts).tocsr()
    ids = [ring] + [count + size * k + np.arange(size) for k in range(len(sizes))]
    centre = count + size * len(sizes)
    faces = []
    for outer, inner in zip(ids[:-1], ids[1:], strict=True):
        nxt = np.roll(np.arange(size), -1)
        faces += [np.stack([outer[nxt], outer, inner], 1), np.stack([outer[nxt], inner, inner[nxt]], 1)]
    last = ids[-1]
    faces.append(np.stack([np.roll(last, -1), last, np.full(size, centre)], 1))
    share = np.concatenate([np.repeat(PATCH_RINGS, size), [0.0]])
    return block, np.concatenate(faces), _lift(ict, ring, ball, block @ ict.vertices, share)


def _lift(ict: Ict, ring: np.ndarray, ball: tuple[int, int], flat: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Offset that puts flat patch points on the eyeball, with the lid margin's own gap fading inwards."""
    v = ict.vertices
    quads = ict.quads[(ict.quads >= ball[0]).all(1) & (ict.quads < ball[1]).all(1)]
    triangles = ict.triangles[(ict.triangles >= ball[0]).all(1) & (ict.triangles < ball[1]).all(1)]
    eyeball = Surface(Mesh(v, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]], triangles])))
    centre = _sphere_centre(v[ball[0] : ball[1]])

    def outer_radius(points: np.ndarray) -> np.ndarray:
        direction = unit(points - centre)
        return 40.0 - eyeball.cast(centre + 40.0 * direction, -direction).depth

    gap = np.linalg.norm(v[ring] - centre, axis=1) - outer_radius(v[ring])
    for _ in range(4):
        gap = 0.5 * gap + 0.25 * (np.roll(gap, 1) + np.roll(gap, -1))
    around = np.concatenate([np.tile(gap, len(PATCH_RINGS)), gap[:1]])
    wanted = outer_radius(flat) + around * share**3
    length = np.linalg.norm(flat - centre, axis=1)
    return unit(flat - centre) * (wanted - length)[:, None]


def _sphere_centre(points: np.ndarray) -> np.ndarray:
    """Centre of the sphere through the outermost front half of an eyeball, least squares."""
    front = points[points[:, 2] > 0.5 * (points[:, 2].min() + points[:, 2].max())]
    for _ in range(5):
        centre = np.linalg.lstsq(np.c_[2 * front, np.ones(len(front))], (front**2).sum(1), rcond=None)[0][:3]
        radius = np.linalg.norm(front - centre, axis=1)
        front = front[np.abs(radius - np.median(radius)) < 0.5]
    return centre
