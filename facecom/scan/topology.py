"""Make a triangle list an oriented manifold: at most two faces an edge, neighbours that agree on the outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.mesh import Bools, Floats, Ints, face_cross, unique_edges


def is_oriented_surface(faces: Ints) -> bool:
    """Whether no two faces run along an edge in one direction: then no edge has more than two, and all agree."""
    base = int(faces.max(initial=0)) + 1
    key = np.sort(np.concatenate([faces[:, k] * base + faces[:, (k + 1) % 3] for k in range(3)]))
    return not (key[1:] == key[:-1]).any()


def nonmanifold_faces(vertices: Floats, faces: Ints) -> Bools:
    """Which faces to remove so that no edge has more than two.

    At such an edge, flaps go first (the face with most free edges), then the smallest face, then the last; a face
    goes only while one of its edges still has more than two.
    """
    out = np.zeros(len(faces), bool)
    edge, count = _edges(faces)
    suspects = np.flatnonzero((count[edge] > 2).any(axis=1))
    if not len(suspects):
        return out
    free = (count[edge[suspects]] == 1).sum(axis=1)
    area = np.linalg.norm(face_cross(vertices, faces[suspects]), axis=1)
    left = count.tolist()
    for k in suspects[np.lexsort((-suspects, area, -free))].tolist():
        own = edge[k].tolist()
        if any(left[e] > 2 for e in own):
            out[k] = True
            for e in own:
                left[e] -= 1
    return out


def consistent_orientation(faces: Ints) -> Bools:
    """Which faces to flip so that neighbours run along their common edge in opposite directions.

    In each edge-connected component the smaller half is flipped. One that has no consistent orientation (a Möbius
    strip) stays as it is. Edges of more than two faces connect nothing.
    """
    a, b, clash = _neighbours(faces)
    return _smaller_half(len(faces), a, b, clash)


def nonorientable_faces(faces: Ints) -> tuple[Bools, Bools]:
    """Cut components that have only one side, so that the rest has two: which faces to flip, and which to remove.

    Neighbours that agree stay as they are as far as that goes; where they then still run along an edge in the same
    direction, the face with most such edges goes.
    """
    a, b, clash = _neighbours(faces)
    shape = (len(faces), len(faces))
    tree = csgraph.minimum_spanning_tree(sp.coo_matrix((1.0 + clash, (a, b)), shape=shape).tocsr()).tocoo()
    flipped = _smaller_half(len(faces), tree.row, tree.col, tree.data > 1.5)
    wrong = clash ^ flipped[a] ^ flipped[b]
    removed = np.zeros(len(faces), bool)
    left = np.bincount(np.concatenate([a[wrong], b[wrong]]), minlength=len(faces))
    pairs = np.stack([a[wrong], b[wrong]], axis=1)
    for first, second in pairs[np.argsort(-left[pairs].max(axis=1), kind="stable")].tolist():
        if not removed[first] and not removed[second]:
            removed[first if left[first] > left[second] else second] = True
    return flipped & ~removed, removed


def _neighbours(faces: Ints) -> tuple[Ints, Ints, Bools]:
    """Pairs of faces at an edge of just two, and whether both run along it in the same direction."""
    edge, count = _edges(faces)
    corner = np.flatnonzero(count[edge.T.ravel()] == 2)
    order = corner[np.argsort(edge.T.ravel()[corner], kind="stable")].reshape(-1, 2)
    face, side = order % max(len(faces), 1), order // max(len(faces), 1)
    upward = faces[face, side] < faces[face, (side + 1) % 3]
    return face[:, 0], face[:, 1], upward[:, 0] == upward[:, 1]


def _smaller_half(count: int, a: Ints, b: Ints, clash: Bools) -> Bools:
    """Of `count` faces in pairs a-b that agree or clash, the smaller part to flip so that all agree.

    Two copies of each face, as it is and flipped, are connected where they agree: a component falls in two where that
    can be done, and stays one, with nothing to flip, where it cannot.
    """
    links = np.concatenate(
        [np.stack([a, np.where(clash, b + count, b)]), np.stack([a + count, np.where(clash, b, b + count)])], axis=1
    )
    graph = sp.coo_matrix((np.ones(links.shape[1], np.int8), tuple(links)), shape=(2 * count, 2 * count))
    label = csgraph.connected_components(graph, directed=False)[1]
    plain, flipped = label[:count], label[count:]
    votes = np.bincount(plain, minlength=2 * count)
    tie = votes[plain] == votes[flipped]
    return (plain != flipped) & ((votes[plain] < votes[flipped]) | (tie & (plain > flipped)))


@dataclass(frozen=True, eq=False)
class ConsistentSurface:
    """A surface with at most two faces an edge and two sides everywhere.

    faces : (F, 3) int
    index : (F,) int, ascending: which of the given faces each one is
    nonmanifold, nonorientable, flipped : how many faces were removed at edges of more than two faces, removed to cut
        components with one side only, and flipped
    """

    faces: Ints
    index: Ints
    nonmanifold: int = 0
    nonorientable: int = 0
    flipped: int = 0


def consistent_surface(vertices: Floats, faces: Ints) -> ConsistentSurface:
    """Remove and flip as few faces as it takes to make a triangle list a surface with two sides."""
    index = np.arange(len(faces))
    if is_oriented_surface(faces):
        return ConsistentSurface(faces, index)
    nonmanifold = nonmanifold_faces(vertices, faces)
    faces, index = faces[~nonmanifold], index[~nonmanifold]
    flipped, removed = consistent_orientation(faces), np.zeros(len(faces), bool)
    if not is_oriented_surface(np.where(flipped[:, None], faces[:, ::-1], faces)):
        flipped, removed = nonorientable_faces(faces)
    faces = np.where(flipped[:, None], faces[:, ::-1], faces)[~removed]
    return ConsistentSurface(faces, index[~removed], int(nonmanifold.sum()), int(removed.sum()), int(flipped.sum()))


def _edges(faces: Ints) -> tuple[Ints, Ints]:
    """Undirected edge of each side (0,1), (1,2), (2,0) of each face, (F, 3), and the number of faces of each edge."""
    _, edge, count = unique_edges(faces)
    return edge.reshape(3, -1).T, count
