"""The closed, smooth, symmetric surface that the template samples, as linear combinations of ICT-FaceKit vertices.

Eyes are closed by a patch on the eyeball, the lips by merging the two lip rims, the nostrils by a shallow floor.
Every point of the result is `matrix @ ict + offset`, so that any ICT mode is carried to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import Mesh, boundary_loops, unit, vertex_adjacency, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.geometry.subdivision import loop_matrix, split_faces

HEAD = 11248  # face, head and neck; the parts after it are sockets, mouth, eyeballs
EYEBALLS = ((21451, 23021), (23021, 24591))  # left, right
LIP_RING = 7  # rings between the end of the ICT lips, inside the mouth, and the line where they meet
LID_RING = 1  # rings between the end of the ICT lids, behind the eyeball's surface, and the lid margin
PATCH_RINGS = (0.84, 0.66, 0.46, 0.24)  # concentric rings of the eye patch, as shares of its radius


@dataclass(frozen=True, eq=False)
class Ict:
    """ICT-FaceKit as stored, with its mirror map; vertices are exactly symmetric."""

    vertices: np.ndarray
    quads: np.ndarray
    triangles: np.ndarray
    mirror: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True, eq=False)
class Source:
    """A surface tied to ICT: vertices == matrix @ ict + offset; curves are vertex index arrays."""

    matrix: sp.csr_matrix
    offset: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray
    labels: dict[str, np.ndarray]  # bool per vertex: eye_l, eye_r, lid_l, lid_r, seam, nostril


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


def closed_source(ict: Ict) -> Source:
    """Head surface with eyes and lips closed and shallow nostrils; its only border is the ICT neck's."""
    v = ict.vertices
    quads = ict.quads[(ict.quads < HEAD).all(1)]
    faces = _symmetric_triangles(v, quads, ict.mirror)
    triangles = ict.triangles[(ict.triangles < HEAD).all(1)]
    faces = np.concatenate([faces, triangles])
    loops = boundary_loops(faces)
    mouth = min(loops, key=lambda loop: abs(v[loop].mean(0) - [0, -33.6, 103.2]).sum())
    left = min(loops, key=lambda loop: abs(v[loop].mean(0) - [31.7, 34.8, 90.7]).sum())
    lip_ring, faces = _peel(faces, mouth, LIP_RING)
    lid_left, faces = _peel(faces, left, LID_RING)
    lid_right, faces = _peel(faces, ict.mirror[left], LID_RING)

    strip, pairs = _zip_lips(v, _ordered_ring(faces, lip_ring), ict.mirror)
    faces = np.concatenate([faces, strip])
    offset = np.zeros((HEAD, 3))
    matrix = sp.identity(len(v), format="csr")[:HEAD]
    count = HEAD
    mirror = ict.mirror[:HEAD].copy()
    eyes = {}
    blocks, offsets = [], []
    for side, ring in (("l", lid_left), ("r", lid_right)):
        ring = _ordered_ring(faces, ring) if side == "l" else ict.mirror[eyes["l"][0]]
        block, extra, shift = _eye_patch(ict, ring, EYEBALLS[side == "r"], count)
        if side == "r":
            extra = extra[:, ::-1]
        faces = np.concatenate([faces, extra])
        blocks.append(block)
        offsets.append(shift)
        eyes[side] = (ring, np.arange(count, count + block.shape[0]))
        count += block.shape[0]
    mirror = np.concatenate([mirror, eyes["r"][1], eyes["l"][1]])
    matrix = sp.vstack([matrix, *blocks]).tocsr()
    offset = np.concatenate([offset, *offsets])
    offset = 0.5 * (offset + offset[mirror] * [-1, 1, 1])
    labels = {name: np.zeros(count, bool) for name in ("eye_l", "eye_r", "lid_l", "lid_r", "seam")}
    for side in "lr":
        labels[f"lid_{side}"][eyes[side][0]] = True
        labels[f"eye_{side}"][eyes[side][1]] = True
    for k, name in enumerate(("rim_upper", "rim_lower")):
        labels[name] = np.zeros(count, bool)
        labels[name][np.concatenate([pairs[:, k], ict.mirror[pairs[:, k]]])] = True
    corner = strip[np.argmax(v[strip][:, :, 0].max(1))]
    corner = corner[np.argmax(v[corner, 0])]
    labels["seam"][[corner, ict.mirror[corner]]] = True
    source = _compact(Source(matrix, offset, matrix @ v + offset, faces, mirror, labels))
    return _shallow_nostrils(source, v)


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
    one, two = loop[: middle[0] + 1], np.concatenate([loop[:1], loop[middle[1] :][::-1]])
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
        if i and j:
            pairs.append((one[i], two[j]))
    half = np.array(faces)
    return np.concatenate([half, mirror[half][:, ::-1]]), np.array(pairs)


def _eye_patch(
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


def _compact(source: Source) -> Source:
    used = np.unique(source.faces)
    new = np.full(len(source.vertices), -1)
    new[used] = np.arange(len(used))
    return Source(
        source.matrix[used],
        source.offset[used],
        source.vertices[used],
        new[source.faces],
        new[source.mirror[used]],
        {name: mask[used] for name, mask in source.labels.items()},
    )


def _shallow_nostrils(source: Source, ict: np.ndarray) -> Source:
    """Replace the inner part of each nostril by the smooth membrane that its rim spans."""
    deep = nostril_pocket(source.vertices, source.faces)
    laplacian = uniform_laplacian(source.faces, len(source.vertices))
    system = (laplacian @ laplacian).tocsr()
    inner, outer = np.flatnonzero(deep), np.flatnonzero(~deep)
    solve = splu(system[inner][:, inner].tocsc()).solve
    right = -(system[inner][:, outer]).tocsc()
    touched = np.flatnonzero(np.diff(right.indptr))
    weights = solve(right[:, touched].toarray())
    fill = sp.csr_matrix(weights) @ source.matrix[outer[touched]]
    keep = sp.diags((~deep).astype(float)) @ source.matrix
    place = sp.csr_matrix((np.ones(len(inner)), (inner, np.arange(len(inner)))), shape=(len(deep), len(inner)))
    matrix = (keep + place @ fill).tocsr()
    labels = {**source.labels, "nostril": deep}
    return Source(matrix, source.offset, matrix @ ict + source.offset, source.faces, source.mirror, labels)


def nostril_pocket(vertices: np.ndarray, faces: np.ndarray, *, openness: float = 0.22) -> np.ndarray:
    """Vertices inside the nostrils: on the nose's underside and seeing little of the outside."""
    box = (np.abs(vertices[:, 0]) < 18) & (np.abs(vertices[:, 1] + 4) < 14) & (vertices[:, 2] > 98)
    chosen = np.flatnonzero(box)
    seen = visible_share(vertices, faces, chosen)
    deep = np.zeros(len(vertices), bool)
    deep[chosen[seen < openness]] = True
    adjacency = vertex_adjacency(faces, len(vertices))
    for _ in range(2):  # close small gaps, then take off what sticks out
        deep |= (adjacency @ deep) > 0
    for _ in range(2):
        deep &= ~((adjacency @ ~deep) > 0)
    deep |= deep[_mirror_of(vertices)]
    return deep


def _mirror_of(vertices: np.ndarray) -> np.ndarray:
    return cKDTree(vertices).query(vertices * [-1, 1, 1])[1]


def visible_share(vertices: np.ndarray, faces: np.ndarray, chosen: np.ndarray, *, rays: int = 256) -> np.ndarray:
    """Share of the hemisphere above each chosen vertex from which nothing blocks the view (1 = open)."""
    normals = vertex_normals(vertices, faces)[chosen]
    k = np.arange(rays) + 0.5
    height, angle = 1 - k / rays, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - height**2)
    local = np.stack([flat * np.cos(angle), flat * np.sin(angle), height], 1)
    helper = np.where(np.abs(normals[:, :1]) < 0.8, [[1.0, 0, 0]], [[0, 1.0, 0]])
    t = np.cross(normals, helper)
    t /= np.linalg.norm(t, axis=1, keepdims=True)
    b = np.cross(normals, t)
    direction = np.einsum("rk,kvd->vrd", local, np.stack([t, b, normals]))
    start = vertices[chosen][:, None] + 0.05 * normals[:, None] + 0 * direction
    hits = Surface(Mesh(vertices, faces)).cast(start.reshape(-1, 3), direction.reshape(-1, 3))
    blocked = (hits.depth < 60).reshape(len(chosen), rays)
    weight = height / height.sum()
    return 1 - blocked @ weight


def smooth_source(source: Source, ict: np.ndarray, *, steps: int = 2) -> Source:
    """Loop's subdivision surface of the source, sharpened first so that smoothing does not shrink it.

    One step of the deconvolution 2 I - L, with L the smoothing that Loop's rule does to the old vertices.
    """
    faces, mirror, labels = source.faces, source.mirror, dict(source.labels)
    first = loop_matrix(faces, len(source.vertices))
    smooth = first[: len(source.vertices)]
    smooth = smooth @ smooth
    total = 2 * sp.identity(len(source.vertices)) - smooth
    for _ in range(steps):
        count = len(mirror)
        total = loop_matrix(faces, count) @ total
        faces, parents = split_faces(faces, count)
        key = {pair: count + e for e, pair in enumerate(map(tuple, parents.tolist()))}
        image = np.sort(mirror[parents], axis=1)
        mirror = np.concatenate([mirror, [key[pair] for pair in map(tuple, image.tolist())]])
        upper, lower = labels["rim_upper"][parents], labels["rim_lower"][parents]
        across = (upper[:, 0] & lower[:, 1]) | (upper[:, 1] & lower[:, 0])
        for name, mask in labels.items():
            joined = mask[parents].any(1) if name.startswith("eye") else mask[parents].all(1)
            labels[name] = np.concatenate([mask, joined | across if name == "seam" else joined])
        labels["rim_upper"] = labels["rim_lower"] = np.zeros(len(mirror), bool)
    matrix = (total @ source.matrix).tocsr()
    offset = total @ source.offset
    vertices = matrix @ ict + offset
    vertices = 0.5 * (vertices + vertices[mirror] * [-1, 1, 1])
    return Source(matrix, offset, vertices, faces, mirror, labels)
