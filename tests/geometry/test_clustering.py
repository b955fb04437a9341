"""Points and meshes grouped by the cells of a grid."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.clustering import cluster_vertices, grid_cells


@given(st.integers(0, 10_000))
def test_points_share_a_number_where_they_share_a_cell(seed):
    points = np.random.default_rng(seed).uniform(-5, 5, (40, 3))
    cells = np.floor((points - points.min(axis=0)) / 1.5)
    number = grid_cells(points, size=1.5)
    assert np.array_equal(number[:, None] == number, (cells[:, None] == cells).all(axis=2))


def test_clusters_are_means_of_their_cells(sheet):
    mesh = sheet(20, 20, seed=3)
    coarse, owner = cluster_vertices(mesh, cell_mm=3.0)
    assert len(coarse.vertices) < len(mesh.vertices) / 6
    for cell in range(len(coarse.vertices)):
        own = mesh.vertices[owner == cell]
        assert np.allclose(coarse.vertices[cell], own.mean(axis=0))
        assert np.ptp(own, axis=0).max() <= 3.0


def test_clusters_leave_no_degenerate_or_double_triangle(sheet):
    coarse, _ = cluster_vertices(sheet(20, 20, seed=3), cell_mm=3.0)
    faces = np.sort(coarse.faces, axis=1)
    assert (np.diff(faces, axis=1) > 0).all()
    assert len(np.unique(faces, axis=0)) == len(faces)


def test_clusters_keep_the_orientation(sheet):
    mesh = sheet(20, 20, seed=3)
    coarse, _ = cluster_vertices(mesh, cell_mm=2.5)
    corners = coarse.vertices[coarse.faces]
    turned = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
    assert turned.sum() > 0.8 * 2 * 400 * 0.8
    assert (turned < -1e-9).mean() < 0.02
