"""Relief added to the fine patch so that nothing folds and nothing crosses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_cross
from facecom.refine.displace import FinePatch
from facecom.refine.quality import crossing_edges

FOLD_ROUNDS = 8
CROSSING_ROUNDS = 12
FLATTEST = 0.15
"""Least cosine between a triangle and the same one without relief."""


@dataclass(frozen=True, eq=False)
class Displaced:
    """The patch with its relief.

    Parameters
    ----------
    mesh : Mesh
        All vertices of the patch, and the faces that are kept.
    lowered : (P,) bool, vertices that do not lie at the height asked for
    dropped : int, faces of seen skin that were left out
    crossing : int, edges at which the mesh still crosses itself
    """

    mesh: Mesh
    lowered: Bools
    dropped: int
    crossing: int


def displace(patch: FinePatch, height: Floats) -> tuple[Mesh, Bools]:
    """Move the patch along its normals; heights (P,), mm, that would fold a face give way until none does.

    Returns
    -------
    mesh : Mesh
    lowered : (P,) bool, which vertices had to give way
    """
    value = height.copy()
    lowered = np.zeros(len(value), bool)
    faces, smooth = patch.mesh.faces, patch.mesh.vertices
    up = face_cross(smooth, faces)
    for _ in range(FOLD_ROUNDS):
        now = face_cross(smooth + value[:, None] * patch.normals, faces)
        folded = np.einsum("fd,fd->f", now, up) < FLATTEST * np.linalg.norm(now, axis=1) * np.linalg.norm(up, axis=1)
        if not folded.any():
            break
        touched = np.unique(faces[folded])
        lowered[touched] = True
        value = _relaxed(value, faces, touched)
    return patch.mesh.with_vertices(smooth + value[:, None] * patch.normals), lowered


def displace_uncrossed(patch: FinePatch, height: Floats, *, calm: Floats, seen: Bools) -> Displaced:
    """Move the patch along its normals so that it neither folds nor crosses itself.

    Around what crosses, made relief is drawn towards `calm`, and faces of seen skin are left out: they are the inside
    of a nostril or a fold that no height over a smooth surface can show, and the scan has them.

    Parameters
    ----------
    patch : FinePatch
    height, calm : (P,) float, mm, with relief and without
    seen : (P,) bool, vertices that lie on the scan
    """
    value, kept = height.copy(), np.ones(len(patch.mesh.faces), bool)
    for turn in range(CROSSING_ROUNDS):
        mesh, _ = displace(patch, value)
        crossing = crossing_edges(Mesh(mesh.vertices, mesh.faces[kept]))
        if not len(crossing):
            break
        touched = np.zeros(len(value), bool)
        touched[crossing] = True
        touched[mesh.faces[touched[mesh.faces].any(1)]] = True
        kept &= ~(touched[mesh.faces].any(1) & seen[mesh.faces].all(1))
        # a seen vertex at the rim is moved last, since it is measured
        free = touched & (~seen | (turn >= CROSSING_ROUNDS // 2))
        value[free] = calm[free] + 0.5 * (value - calm)[free]
    if not kept.all():
        kept &= _hangs_on(mesh.faces, kept, ~seen)
    moved = np.einsum("pd,pd->p", mesh.vertices - patch.mesh.vertices, patch.normals)
    return Displaced(
        Mesh(mesh.vertices, mesh.faces[kept], uv=mesh.uv),
        np.abs(moved - height) > 1e-6,
        int(np.count_nonzero(~kept)),
        len(crossing),
    )


def _hangs_on(faces: Ints, kept: Bools, anchor: Bools) -> Bools:
    """Faces (F,) of the pieces of what is kept that hold some anchor vertex."""
    a, b, c = faces[kept].T
    pairs = (np.r_[a, b], np.r_[b, c])
    graph = sp.coo_matrix((np.ones(len(pairs[0])), pairs), shape=(len(anchor),) * 2)
    label = csgraph.connected_components(graph, directed=False)[1]
    held = np.zeros(label.max() + 1, bool)
    held[label[anchor]] = True
    return np.asarray(held[label[faces[:, 0]]])


def _relaxed(value: Floats, faces: Ints, touched: Ints) -> Floats:
    """Values of the touched vertices replaced by the mean over the faces around them."""
    mean = np.repeat(value[faces].mean(1), 3)
    total = np.bincount(faces.ravel(), mean, minlength=len(value))
    number = np.bincount(faces.ravel(), minlength=len(value))
    out = value.copy()
    out[touched] = (total / np.maximum(number, 1))[touched]
    return out
