"""Shallow nostrils and Loop's smooth surface over the closed ICT skin."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import Mesh, vertex_adjacency, vertex_normals
from facecom.geometry.subdivision import loop_matrix, split_faces
from training.closed_surface import MappedSurface


def shallow_nostrils(surface: MappedSurface, ict: np.ndarray) -> MappedSurface:
    """Replace the inner part of each nostril by the smooth membrane that its rim spans."""
    deep = nostril_pocket(surface.vertices, surface.faces)
    laplacian = uniform_laplacian(surface.faces, len(surface.vertices))
    system = (laplacian @ laplacian).tocsr()
    inner, outer = np.flatnonzero(deep), np.flatnonzero(~deep)
    solve = splu(system[inner][:, inner].tocsc()).solve
    right = -(system[inner][:, outer]).tocsc()
    touched = np.flatnonzero(np.diff(right.indptr))
    weights = solve(right[:, touched].toarray())
    fill = sp.csr_matrix(weights) @ surface.matrix[outer[touched]]
    keep = sp.diags((~deep).astype(float)) @ surface.matrix
    place = sp.csr_matrix((np.ones(len(inner)), (inner, np.arange(len(inner)))), shape=(len(deep), len(inner)))
    matrix = (keep + place @ fill).tocsr()
    labels = {**surface.labels, "nostril": deep}
    return MappedSurface(matrix, surface.offset, matrix @ ict + surface.offset, surface.faces, surface.mirror, labels)


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


def smooth_surface(surface: MappedSurface, ict: np.ndarray, *, steps: int = 2) -> MappedSurface:
    """Loop's subdivision of the surface, sharpened first so that smoothing does not shrink it.

    One step of the deconvolution 2 I - L, with L the smoothing that Loop's rule does to the old vertices.
    """
    faces, mirror, labels = surface.faces, surface.mirror, dict(surface.labels)
    first = loop_matrix(faces, len(surface.vertices))
    smooth = first[: len(surface.vertices)]
    smooth = smooth @ smooth
    total = 2 * sp.identity(len(surface.vertices)) - smooth
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
    matrix = (total @ surface.matrix).tocsr()
    offset = total @ surface.offset
    vertices = matrix @ ict + offset
    vertices = 0.5 * (vertices + vertices[mirror] * [-1, 1, 1])
    return MappedSurface(matrix, offset, vertices, faces, mirror, labels)
