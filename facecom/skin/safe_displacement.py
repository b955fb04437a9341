"""Relief added to the fine patch so that nothing folds and nothing crosses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.fairing import fair_membrane, laplacian_step
from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_cross
from facecom.skin.fine_patch import FinePatch

FOLD_ROUNDS = 8
CROSSING_ROUNDS = 24
CALMING_ROUNDS = 3
"""After so many the surface itself is evened out: the smooth face crosses itself there."""
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
        value = laplacian_step(value, faces, touched)
    return patch.mesh.with_vertices(smooth + value[:, None] * patch.normals), lowered


def displace_uncrossed(patch: FinePatch, height: Floats, *, calm: Floats, seen: Bools) -> Displaced:
    """Move the patch along its normals so that it neither folds nor crosses itself.

    Around what crosses, made relief is drawn towards `calm`, then the surface itself is evened out where the smooth
    face crosses itself, and faces of seen skin are left out: they are the inside of a nostril or a fold that no height
    over a smooth surface can show, and the scan has them.

    Parameters
    ----------
    patch : FinePatch
    height, calm : (P,) float, mm, with relief and without
    seen : (P,) bool, vertices that lie on the scan
    """
    value, kept = height.copy(), np.ones(len(patch.mesh.faces), bool)
    faces, mended = patch.mesh.faces, np.zeros(len(value), bool)
    mesh, _ = displace(patch, value)
    for turn in range(CROSSING_ROUNDS):
        crossing, pierced = first_intersections(Mesh(mesh.vertices, faces[kept]))
        if not len(crossing):
            break
        touched = np.zeros(len(value), bool)
        touched[crossing] = touched[faces[kept][pierced]] = True
        touched[faces[touched[faces].any(1)]] = True
        kept &= ~(touched[faces].any(1) & seen[faces].all(1))
        # a seen vertex at the rim is moved last, since it is measured
        free = touched & (~seen | (turn >= CALMING_ROUNDS + 2))
        if turn < CALMING_ROUNDS:
            value[free] = calm[free] + 0.5 * (value - calm)[free]
            mesh, _ = displace(patch, value)
        else:
            # a wider place each time, since a fold needs room to open
            mended |= free
            mended[faces[mended[faces].any(1)]] = True
            mended &= ~seen | (turn >= CALMING_ROUNDS + 2)
            mesh = mesh.with_vertices(fair_membrane(mesh.vertices, faces, np.flatnonzero(mended)))
    if not kept.all():
        kept &= _hangs_on(faces, kept, ~seen)
    moved = np.einsum("pd,pd->p", mesh.vertices - patch.mesh.vertices, patch.normals)
    return Displaced(
        Mesh(mesh.vertices, faces[kept], uv=mesh.uv),
        mended | (np.abs(moved - height) > 1e-6),
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
