"""The fine patch is nested and passes through the face."""

from __future__ import annotations

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh, edge_lengths, face_areas, unique_edges
from facecom.skin.fine_patch import split_long_edges


def test_splitting_long_edges_keeps_the_surface_closed_and_its_area(grid):
    vertices, faces = grid(2.0, 0.5)
    vertices = vertices * [1.0, 1.0 + 0.5 * (vertices[0, 1] > 0), 1.0]
    vertices[:, 0] *= 1 + 0.3 * (vertices[:, 0] > 0)
    finer, parents = split_long_edges(faces, vertices, 0.55)
    mesh = Mesh(np.concatenate([vertices, vertices[parents].mean(1)]), finer)
    _, _, before = unique_edges(faces)
    _, _, after = unique_edges(finer)
    assert after.max() == 2
    assert face_areas(mesh).sum() == pytest.approx(face_areas(Mesh(vertices, faces)).sum())
    assert face_areas(mesh).min() > 0
    assert (before == 1).sum() < (after == 1).sum()
    assert len(np.unique(finer)) == len(mesh.vertices)


def test_the_patch_is_fine_nested_and_passes_through_the_face(bowl):
    face, patch = bowl()
    assert edge_lengths(patch.mesh).max() <= 0.25
    old = np.flatnonzero(patch.face_interpolation.max(axis=1).toarray().ravel() == 1.0)
    assert np.abs(patch.mesh.vertices[old] - face.vertices[patch.nearest_face_vertex[old]]).max() < 0.01
    assert np.allclose(patch.prolongation @ np.ones(patch.prolongation.shape[1]), 1.0)
    assert np.allclose(patch.mesh.vertices[: len(patch.coarse.vertices)], patch.coarse.vertices)
