"""ICT-FaceKit's neutral: read, made symmetric, and reduced to its outer skin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import boundary_loops, vertex_adjacency

HEAD = 11248  # face, head and neck; the parts after it are sockets, mouth, eyeballs
EYEBALLS = ((21451, 23021), (23021, 24591))  # left, right
LIP_RING = 7  # rings between the end of the ICT lips, inside the mouth, and the line where they meet
LID_RING = 1  # rings between the end of the ICT lids, behind the eyeball's surface, and the lid margin


@dataclass(frozen=True, eq=False)
class Ict:
    """ICT-FaceKit as stored, with its mirror map; vertices are exactly symmetric."""

    vertices: np.ndarray
    quads: np.ndarray
    triangles: np.ndarray
    mirror: np.ndarray
    landmarks: np.ndarray


def read_ict(path: Path) -> Ict:
    """Read the npz and make the neutral exactly symmetric."""
    with np.load(path, allow_pickle=False) as data:
        vertices = data["neutral"].astype(float)
        quads, triangles = data["quads"].astype(np.int64), data["triangles"].astype(np.int64)
        landmarks = data["landmarks68"].astype(np.int64)
    mirror = np.arange(len(vertices))
    flipped = vertices * [-1, 1, 1]
    _, mirror[:HEAD] = cKDTree(vertices[:HEAD]).query(flipped[:HEAD])
    (a, b), (c, d) = EYEBALLS
    for (s, e), (t, u) in (((a, b), (c, d)), ((c, d), (a, b))):
        mirror[s:e] = t + cKDTree(vertices[t:u]).query(flipped[s:e])[1]
    if not (mirror[mirror] == np.arange(len(mirror))).all():
        raise ValueError(f"{path}: the ICT neutral has no left-right vertex pairs")
    vertices = 0.5 * (vertices + vertices[mirror] * [-1, 1, 1])
    return Ict(vertices, quads, triangles, mirror, landmarks)


@dataclass(frozen=True, eq=False)
class Outer:
    """ICT's outer skin: faces over ICT vertices with the lips zipped and the eyes open, and its lid margins."""

    faces: np.ndarray
    lids: tuple[np.ndarray, np.ndarray]  # rings of the left and the right eye, in matching order
    rims: np.ndarray  # (n, 2) upper and lower lip vertices that the zip joins, left half
    lip_corner: int  # left


def outer_skin(ict: Ict) -> Outer:
    """Peel the inner lips and lids off the ICT head and zip the lips."""
    v = ict.vertices
    faces = _symmetric_triangles(v, ict.quads[(ict.quads < HEAD).all(1)], ict.mirror)
    faces = np.concatenate([faces, ict.triangles[(ict.triangles < HEAD).all(1)]])
    loops = boundary_loops(faces)
    mouth = min(loops, key=lambda loop: np.linalg.norm(v[loop].mean(0) - v[ict.landmarks[60:]].mean(0)))
    left = min(loops, key=lambda loop: np.linalg.norm(v[loop].mean(0) - v[ict.landmarks[42:48]].mean(0)))
    lip_ring, faces = _peel(faces, mouth, LIP_RING)
    lid_left, faces = _peel(faces, left, LID_RING)
    _, faces = _peel(faces, ict.mirror[left], LID_RING)
    ring = _ordered_ring(faces, lid_left)
    lips = _ordered_ring(faces, lip_ring)
    strip, pairs = _zip_lips(v, lips, ict.mirror)
    corner = int(lips[np.argmax(v[lips, 0])])
    return Outer(np.concatenate([faces, strip]), (ring, ict.mirror[ring]), pairs, corner)


def left_eye_strip(ict: Ict, outer: Outer) -> np.ndarray:
    """Triangles over ICT vertices from the upper to the lower margin of the left eye."""
    v, ring = ict.vertices, outer.lids[0]
    ring = np.roll(ring, -int(np.argmin(v[ring, 0])))
    end = int(np.argmax(v[ring, 0]))
    return _strip(v, ring[: end + 1], np.concatenate([ring[:1], ring[end:][::-1]]))[0]


def _symmetric_triangles(v: np.ndarray, quads: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Split quads along the shorter diagonal, the right half as the mirror image of the left one."""
    left = quads[v[quads][:, :, 0].mean(1) > 0]
    a, b, c, d = left.T
    swap = np.linalg.norm(v[b] - v[d], axis=1) < np.linalg.norm(v[a] - v[c], axis=1) - 1e-9
    half = np.concatenate(
        [
            np.where(swap[:, None], np.stack([a, b, d], 1), np.stack([a, b, c], 1)),
            np.where(swap[:, None], np.stack([b, c, d], 1), np.stack([a, c, d], 1)),
        ]
    )
    return np.concatenate([half, mirror[half][:, ::-1]])


def _peel(faces: np.ndarray, loop: np.ndarray, rings: int) -> tuple[np.ndarray, np.ndarray]:
    """Remove the first `rings` rows of faces at a border loop; returns the new border's vertices too."""
    inside = np.zeros(faces.max() + 1, bool)
    inside[loop] = True
    adjacency = vertex_adjacency(faces, len(inside))
    ring = inside.copy()
    for _ in range(rings):
        grown = (adjacency @ inside) > 0
        ring = grown & ~inside
        inside |= grown
    interior = inside & ~ring
    return np.flatnonzero(ring), faces[~interior[faces].any(1)]


def _ordered_ring(faces: np.ndarray, ring: np.ndarray) -> np.ndarray:
    for loop in boundary_loops(faces):
        if set(loop.tolist()) == set(ring.tolist()):
            return np.roll(loop, -int(np.argmin(loop)))
    raise ValueError("the ring of vertices is no border loop")


def _zip_lips(v: np.ndarray, loop: np.ndarray, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of the narrow strip between the lip rims, and the (n, 2) pairs of rims that they span."""
    loop = np.roll(loop, -int(np.argmax(v[loop, 0])))
    middle = np.flatnonzero(np.abs(v[loop, 0]) < 1e-9)
    if len(middle) != 2:
        raise ValueError("the lip rim does not cross the midline twice")
    half, pairs = _strip(v, loop[: middle[0] + 1], np.concatenate([loop[:1], loop[middle[1] :][::-1]]))
    return np.concatenate([half, mirror[half][:, ::-1]]), pairs


def _strip(v: np.ndarray, one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles between two vertex paths that start together, and the pairs of vertices that they join."""
    i = j = 0
    faces, pairs = [], []
    while i < len(one) - 1 or j < len(two) - 1:
        first = np.linalg.norm(v[one[min(i + 1, len(one) - 1)]] - v[two[j]])
        second = np.linalg.norm(v[one[i]] - v[two[min(j + 1, len(two) - 1)]])
        if j == len(two) - 1 or (i < len(one) - 1 and first <= second):
            triangle, i = (one[i + 1], one[i], two[j]), i + 1
        else:
            triangle, j = (one[i], two[j], two[j + 1]), j + 1
        if len(set(triangle)) == 3:
            faces.append(triangle)
        if i and j and one[i] != two[j]:
            pairs.append((one[i], two[j]))
    return np.array(faces), np.array(pairs)
