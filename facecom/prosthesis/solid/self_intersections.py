"""Surfaces that cross themselves, mended where they do and left alone elsewhere."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.prosthesis.solid.booleans import self_intersections


def remove_self_intersections(
    mesh: Mesh,
    *,
    fixed: Bools | None = None,
    fresh: Bools | None = None,
    known: Bools | None = None,
    rings: int = 2,
    rounds: int = 12,
) -> tuple[Mesh, Bools]:
    """The mesh with the folds in which it crosses itself drawn smooth.

    Around each crossing a patch is replaced by the smoothest surface that joins what lies around it, value and slope
    (a discrete biharmonic). Patches that still cross grow round by round, at last faster, so that as little as can be
    is changed and folds much larger than a triangle are drawn smooth all the same.

    Parameters
    ----------
    fixed : (V,) bool or None, vertices that stay where they are
    fresh : (V,) bool or None, where given only what crosses at these vertices is looked for: the others did not move
    known : (V,) bool or None, vertices of patches to begin with, as they were found on nearly the same surface before
    rings : of faces by which a patch reaches farther than what crosses
    rounds : after so many what still crosses is left

    Returns
    -------
    the mesh, and (V,) bool: which vertices were moved

    Examples
    --------
    >>> x, y = (a.ravel() for a in np.meshgrid(np.arange(9.0), np.arange(9.0), indexing="ij"))
    >>> z = np.where((x == 6) & (y == 4), 3.0, np.where((x == 4) & (y == 4), 1.5, 0.0))
    >>> x = np.where((x == 4) & (y == 4), 7.5, x)  # through the peak beside it
    >>> k = np.arange(81).reshape(9, 9)
    >>> a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    >>> faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    >>> folded = Mesh(np.stack([x, y, z], 1), faces)
    >>> len(crossings(folded)[0]) > 0, len(crossings(uncrossed(folded)[0])[0])
    (True, 0)
    """
    free = np.ones(len(mesh.vertices), bool) if fixed is None else ~fixed
    bending: sp.csr_matrix | None = None
    patch = np.zeros(len(free), bool) if known is None else known & free
    moved, changed = mesh, fresh
    if patch.any():
        bending = _bending(mesh)
        moved = mesh.with_vertices(_smoothest(mesh.vertices, bending, patch))
    for count in range(rounds):
        bad = _crossing_vertices(moved, changed)
        if not len(bad):
            break
        met = np.zeros(len(free), bool)
        met[bad] = True
        patch |= grow_rings(mesh.faces, met, rings * (1 + count // 3)) & free
        bending = _bending(mesh) if bending is None else bending
        changed = patch
        # What crossed before and does not cross now may stay as it is; what still does grows.
        moved = mesh.with_vertices(_smoothest(mesh.vertices, bending, patch))
    return moved, (moved.vertices != mesh.vertices).any(1)


def _crossing_vertices(mesh: Mesh, moved: Bools | None) -> Ints:
    edges, faces = self_intersections(mesh, moved=moved)
    return np.unique(np.concatenate([edges.ravel(), mesh.faces[faces].ravel()]))


def grow_rings(faces: Ints, mask: Bools, rings: int) -> Bools:
    """A mask of vertices grown by rings of faces."""
    for _ in range(rings):
        mask = mask.copy()
        mask[faces[mask[faces].any(1)].ravel()] = True
    return mask


def _bending(mesh: Mesh) -> sp.csr_matrix:
    """The energy of bending, as a quadratic form of the vertices, (V, V)."""
    step = uniform_laplacian(mesh.faces, len(mesh.vertices))
    return (step.T @ step).tocsr()


def _smoothest(vertices: Floats, bending: sp.csr_matrix, patch: Bools) -> Floats:
    """Vertices of a patch placed so that the surface bends least there, the others as they are."""
    out = vertices.copy()
    if patch.any():
        rows = bending[patch]
        out[patch] = splu(rows[:, patch].tocsc()).solve(-(rows[:, ~patch] @ vertices[~patch]))
    return out
