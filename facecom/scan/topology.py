"""Make a triangle list a surface: at most two faces an edge, neighbours that agree on the outside."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.mesh import Bools, Floats, Ints, face_cross


def is_oriented_surface(faces: Ints) -> bool:
    """Whether no two faces run along an edge in one direction: then no edge has more than two, and all agree."""
    base = int(faces.max(initial=0)) + 1
    key = np.sort(np.concatenate([faces[:, k] * base + faces[:, (k + 1) % 3] for k in range(3)]))
    return not (key[1:] == key[:-1]).any()


def nonmanifold_faces(vertices: Floats, faces: Ints) -> Bools:
    """Which faces to take away so that no edge has more than two.

    At a crowded edge, flaps go first (the face with most free edges), then the smallest face, then the last; a face
    goes only while one of its edges is still crowded.
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
    """Which faces to reverse so that neighbours run along their common edge in opposite directions.

    In each edge-connected piece the smaller half is reversed. A piece that has no consistent orientation (a Möbius
    strip) stays as it is. Edges of more than two faces join nothing.
    """
    edge, count = _edges(faces)
    corner = np.flatnonzero(count[edge.T.ravel()] == 2)
    order = corner[np.argsort(edge.T.ravel()[corner], kind="stable")].reshape(-1, 2)
    face, side = order % max(len(faces), 1), order // max(len(faces), 1)
    upward = faces[face, side] < faces[face, (side + 1) % 3]
    clash = upward[:, 0] == upward[:, 1]
    # Two copies of each face, as it is and reversed, joined where they agree: an orientable piece falls in two.
    n = len(faces)
    a, b = face.T
    links = np.concatenate([np.stack([a, np.where(clash, b + n, b)]), np.stack([a + n, np.where(clash, b, b + n)])], 1)
    graph = sp.coo_matrix((np.ones(links.shape[1], np.int8), tuple(links)), shape=(2 * n, 2 * n))
    label = csgraph.connected_components(graph, directed=False)[1]
    plain, reverse = label[:n], label[n:]
    votes = np.bincount(plain, minlength=label.max() + 1)
    less = votes[plain] < votes[reverse]
    tie = votes[plain] == votes[reverse]
    return (plain != reverse) & (less | (tie & (plain > reverse)))


def _edges(faces: Ints) -> tuple[Ints, Ints]:
    """Undirected edge of each side (0,1), (1,2), (2,0) of each face, (F, 3), and the number of faces of each edge."""
    if not len(faces):
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    following = np.roll(faces, -1, axis=1)
    key = (np.minimum(faces, following) * (int(faces.max()) + 1) + np.maximum(faces, following)).ravel()
    order = np.argsort(key)
    fresh = np.concatenate([[True], key[order[1:]] != key[order[:-1]]])
    edge = np.empty(len(key), np.int64)
    edge[order] = np.cumsum(fresh) - 1
    return edge.reshape(-1, 3), np.bincount(edge)
