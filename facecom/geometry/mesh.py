"""The mesh value and the quantities derived from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csgraph

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def read_only(array: ArrayLike, dtype: type, columns: int | None = None) -> NDArray:
    """Return a read-only copy of `array`; ValueError when its shape is not (n, columns)."""
    out: NDArray = np.array(array, dtype=dtype, order="C")
    if columns is not None and (out.ndim != 2 or out.shape[1] != columns):
        if out.size == 0:
            out = out.reshape(0, columns)
        else:
            raise ValueError(f"expected an array of shape (n, {columns}), got {out.shape}")
    out.setflags(write=False)
    return out


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh, or a point set when it has no faces; arrays are read-only copies.

    Parameters
    ----------
    vertices : (V, 3) float, mm unless said otherwise where it is used
    faces : (F, 3) int, counter-clockwise seen from outside
    uv : (V, 2) float or None
    colors : (V, 3) float in 0..1 or None
    normals : (V, 3) float or None
        Normals that came with a file; derived ones are computed by `vertex_normals`.

    Raises
    ------
    ValueError
        On wrong shapes or on face indices outside the vertices.

    Examples
    --------
    >>> Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]).faces.shape
    (1, 3)
    """

    vertices: Floats
    faces: Ints
    uv: Floats | None = None
    colors: Floats | None = None
    normals: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", read_only(self.vertices, np.float64, 3))
        object.__setattr__(self, "faces", read_only(self.faces, np.int64, 3))
        count = len(self.vertices)
        for name, columns in (("uv", 2), ("colors", 3), ("normals", 3)):
            value = getattr(self, name)
            if value is None:
                continue
            value = read_only(value, np.float64, columns)
            if len(value) != count:
                raise ValueError(f"{name} has {len(value)} rows for {count} vertices")
            object.__setattr__(self, name, value)
        if self.faces.size and (self.faces.min() < 0 or self.faces.max() >= count):
            raise ValueError(f"faces refer to vertices outside 0..{count - 1}")

    def __repr__(self) -> str:
        more = [name for name in ("uv", "colors", "normals") if getattr(self, name) is not None]
        return f"Mesh({', '.join([f'{len(self.vertices):,} vertices', f'{len(self.faces):,} triangles', *more])})"

    def with_vertices(self, vertices: ArrayLike) -> Mesh:
        """Return the same mesh with other positions; normals are dropped, they no longer hold."""
        return Mesh(np.asarray(vertices), self.faces, uv=self.uv, colors=self.colors)

    def submesh(self, faces_kept: Bools) -> tuple[Mesh, Ints]:
        """Return the mesh of the chosen faces and the old index of each of its vertices."""
        faces = self.faces[faces_kept]
        used, new = np.unique(faces, return_inverse=True)

        def pick(values: Floats | None) -> Floats | None:
            return None if values is None else values[used]

        mesh = Mesh(self.vertices[used], new.reshape(-1, 3), pick(self.uv), pick(self.colors), pick(self.normals))
        return mesh, used


def joined(first: Mesh, second: Mesh) -> Mesh:
    """Both meshes as one, the first one's vertices and faces first; with colours where both have them.

    Examples
    --------
    >>> corner = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    >>> joined(corner, corner).faces.tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    if not (len(first.vertices) and len(second.vertices)):
        return first if len(first.vertices) else second
    colors = None if first.colors is None or second.colors is None else np.concatenate([first.colors, second.colors])
    faces = np.concatenate([first.faces, second.faces + len(first.vertices)])
    return Mesh(np.concatenate([first.vertices, second.vertices]), faces, colors=colors)


def face_cross(vertices: Floats, faces: Ints) -> Floats:
    """Cross product of two edges of each face, (F, 3): normal direction, length twice the area."""
    a, b, c = (vertices.take(faces[:, k], axis=0) for k in range(3))  # `take` is quicker than an index here
    return np.cross(b - a, c - a)


def has_distinct_corners(faces: Ints) -> Bools:
    """Whether each face names three different vertices, (F,)."""
    return (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])


def longest_edges(vertices: Floats, faces: Ints) -> Floats:
    """Length of the longest edge of each face, (F,)."""
    corners = vertices[faces]
    return np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)


def face_areas(mesh: Mesh) -> Floats:
    """Area of each face, (F,), mm²."""
    return 0.5 * np.linalg.norm(face_cross(mesh.vertices, mesh.faces), axis=1)


def face_normals(mesh: Mesh) -> Floats:
    """Unit normal of each face, (F, 3); zero for a degenerate face."""
    return unit(face_cross(mesh.vertices, mesh.faces))


def vertex_normals(vertices: Floats, faces: Ints) -> Floats:
    """Area-weighted unit normals, (V, 3); zero where no face meets."""
    cross, count = face_cross(vertices, faces), len(vertices)
    total = np.zeros((count, 3))
    for k in range(3):
        for corner in faces.T:
            total[:, k] += np.bincount(corner, cross[:, k], minlength=count)
    return unit(total)


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length one; zero rows stay zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)


def unique_edges(faces: Ints) -> tuple[Ints, Ints, Ints]:
    """Undirected edges of a face list.

    Returns
    -------
    edges : (E, 2) int, sorted within a row and by row
    edge_of_corner : (3F,) int, the edge of corners (0,1), (1,2), (2,0) in blocks of F
    count : (E,) int, how many faces use each edge
    """
    _, _, keys, base = _edges_of_corners(faces)
    key, inverse, count = np.unique(keys, return_inverse=True, return_counts=True)
    return np.stack([key // base, key % base], axis=1), inverse.ravel(), count


def _edges_of_corners(faces: Ints) -> tuple[Ints, Ints, Ints, int]:
    """Start and end of the edge of each corner, (3F,), in blocks of F; a key without direction, and its base."""
    start = np.concatenate([faces[:, 0], faces[:, 1], faces[:, 2]])
    end = np.concatenate([faces[:, 1], faces[:, 2], faces[:, 0]])
    base = int(faces.max(initial=0)) + 1
    return start, end, np.minimum(start, end) * base + np.maximum(start, end), base


def boundary_edges(faces: Ints) -> Ints:
    """Directed edges that one face alone uses, (B, 2), in that face's own direction."""
    start, end, key, _ = _edges_of_corners(faces)
    if not len(key):
        return np.zeros((0, 2), dtype=np.int64)
    ordered = np.sort(key)
    new = np.concatenate([[True], ordered[1:] != ordered[:-1], [True]])
    single = ordered[new[:-1] & new[1:]]
    if not len(single):
        return np.zeros((0, 2), dtype=np.int64)
    found = single[np.minimum(np.searchsorted(single, key), len(single) - 1)] == key
    return np.stack([start[found], end[found]], axis=1)


def boundary_loops(faces: Ints) -> list[Ints]:
    """Boundary loops as vertex index arrays, longest first, in the direction of their faces.

    Where loops touch in one vertex they are split there, so that each loop visits a vertex once.
    """
    return edge_loops(boundary_edges(faces))


def edge_loops(directed: Ints) -> list[Ints]:
    """Closed loops of directed edges (B, 2) as vertex index arrays, longest first, each vertex once in a loop."""
    following: dict[int, list[int]] = {}
    for start, end in directed.tolist():
        following.setdefault(start, []).append(end)
    loops = []
    while following:
        path = [next(iter(following))]
        position = {path[0]: 0}
        while True:
            ends = following.get(path[-1])
            if not ends:
                break
            step = ends.pop()
            if not ends:
                del following[path[-1]]
            if step in position:
                at = position[step]
                loops.append(np.array(path[at:], dtype=np.int64))
                for vertex in path[at + 1 :]:
                    del position[vertex]
                del path[at + 1 :]
            else:
                position[step] = len(path)
                path.append(step)
    return sorted(loops, key=len, reverse=True)


def face_components(faces: Ints) -> Ints:
    """Label of the edge-connected component of each face, (F,)."""
    edges, edge, _ = unique_edges(faces)
    count = len(faces)
    # A graph of faces and edges: cheaper than the one of faces alone, which needs a sparse product.
    nodes = count + len(edges)
    face = np.tile(np.arange(count), 3)
    graph = sp.coo_matrix((np.ones(3 * count), (face, count + edge)), shape=(nodes, nodes))
    label = csgraph.connected_components(graph, directed=False)[1][:count] if count else np.zeros(0)
    return label.astype(np.int64)


def vertex_adjacency(faces: Ints, count: int) -> sp.csr_matrix:
    """Symmetric 0/1 adjacency of `count` vertices."""
    edges, _, _ = unique_edges(faces)
    ones = np.ones(len(edges))
    upper = sp.coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return (upper + upper.T).tocsr()


def grow_rings(faces: Ints, mask: Bools, rings: int) -> Bools:
    """A mask of vertices (V,) grown by rings of faces."""
    for _ in range(rings):
        mask = mask.copy()
        mask[faces[mask[faces].any(1)].ravel()] = True
    return mask


def edge_lengths(mesh: Mesh) -> Floats:
    """Length of each undirected edge, (E,)."""
    edges, _, _ = unique_edges(mesh.faces)
    return np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
