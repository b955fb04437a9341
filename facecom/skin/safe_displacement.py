"""Displace the fine patch along its normals so that nothing folds and nothing intersects."""

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
"""Rounds of smoothing heights at folds, at most."""
INTERSECTION_ROUNDS = 24
"""Rounds of removing self-intersections, at most."""
RELIEF_ROUNDS = 3
"""After so many of them the surface itself is faired: the smooth face intersects itself there."""
RIM_ROUNDS = RELIEF_ROUNDS + 2
"""After so many observed vertices at the rim may move too, last, since they are observed."""
MIN_FOLD_COSINE = 0.15
"""Least cosine between a triangle and the same one without relief."""
RELIEF_SHARE = 0.5
"""Share of its relief that a vertex keeps in each of the first rounds."""
MOVED_MM = 1e-6
"""A vertex farther than this from the height asked for counts as lowered."""


@dataclass(frozen=True, eq=False)
class Displaced:
    """The patch with its relief.

    Parameters
    ----------
    mesh : Mesh
        All vertices of the patch, and the faces that are kept.
    lowered : (P,) bool, vertices that do not lie at the height asked for
    dropped : int, faces of observed skin that were left out
    n_intersecting_edges : int, edges at which the mesh still intersects itself
    """

    mesh: Mesh
    lowered: Bools
    dropped: int
    n_intersecting_edges: int


def displace_without_folds(patch: FinePatch, height: Floats) -> tuple[Mesh, Bools]:
    """Move the patch along its normals; heights that would fold a face give way until none does.

    Parameters
    ----------
    patch : FinePatch
    height : (P,) float, mm

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
        size = np.linalg.norm(now, axis=1)
        folded = np.einsum("fd,fd->f", now, up) < MIN_FOLD_COSINE * size * np.linalg.norm(up, axis=1)
        if not folded.any():
            break
        touched = np.unique(faces[folded])
        lowered[touched] = True
        value = laplacian_step(value, faces, touched)
    return patch.mesh.with_vertices(smooth + value[:, None] * patch.normals), lowered


def displace_safely(patch: FinePatch, height: Floats, *, base_offset: Floats, observed: Bools) -> Displaced:
    """Move the patch along its normals so that it neither folds nor intersects itself.

    Around intersections, made relief is drawn towards `base_offset`, then the surface itself is faired where the
    smooth face intersects itself, and faces of observed skin are left out: they are the inside of a nostril or a fold
    that no height over a smooth surface can show, and the scan has them.

    Parameters
    ----------
    patch : FinePatch
    height, base_offset : (P,) float, mm, with relief and without
    observed : (P,) bool, vertices that lie on the scan
    """
    value, kept = height.copy(), np.ones(len(patch.mesh.faces), bool)
    faces, faired = patch.mesh.faces, np.zeros(len(value), bool)
    mesh, _ = displace_without_folds(patch, value)
    for step in range(INTERSECTION_ROUNDS):
        intersecting, pierced = first_intersections(Mesh(mesh.vertices, faces[kept]))
        if not len(intersecting):
            break
        touched = np.zeros(len(value), bool)
        touched[intersecting] = touched[faces[kept][pierced]] = True
        touched = _with_neighbours(touched, faces)
        kept &= ~(touched[faces].any(1) & observed[faces].all(1))
        movable = ~observed | (step >= RIM_ROUNDS)
        free = touched & movable
        if step < RELIEF_ROUNDS:
            value[free] = base_offset[free] + RELIEF_SHARE * (value - base_offset)[free]
            mesh, _ = displace_without_folds(patch, value)
        else:
            # a wider place each time, since a fold needs room to open
            faired = _with_neighbours(faired | free, faces) & movable
            mesh = mesh.with_vertices(fair_membrane(mesh.vertices, faces, np.flatnonzero(faired)))
    if not kept.all():
        kept &= _connected_to(~observed, faces, kept)
    moved = np.einsum("pd,pd->p", mesh.vertices - patch.mesh.vertices, patch.normals)
    return Displaced(
        Mesh(mesh.vertices, faces[kept], uv=mesh.uv),
        faired | (np.abs(moved - height) > MOVED_MM),
        int(np.count_nonzero(~kept)),
        len(intersecting),
    )


def _with_neighbours(chosen: Bools, faces: Ints) -> Bools:
    """Chosen vertices and those of all faces that hold one, (P,)."""
    out = chosen.copy()
    out[faces[chosen[faces].any(1)]] = True
    return out


def _connected_to(anchor: Bools, faces: Ints, kept: Bools) -> Bools:
    """Faces (F,) of the pieces of what is kept that hold some anchor vertex."""
    a, b, c = faces[kept].T
    pairs = (np.r_[a, b], np.r_[b, c])
    graph = sp.coo_matrix((np.ones(len(pairs[0])), pairs), shape=(len(anchor),) * 2)
    label = csgraph.connected_components(graph, directed=False)[1]
    held = np.zeros(label.max() + 1, bool)
    held[label[anchor]] = True
    return np.asarray(held[label[faces[:, 0]]])
