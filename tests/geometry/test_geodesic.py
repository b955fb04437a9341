import numpy as np
import pytest
from scipy.sparse.csgraph import dijkstra

from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import Mesh, vertex_adjacency


def test_distances_on_a_plane_are_straight(sheet):
    mesh = sheet(12, 15, seed=4)
    found = geodesic_distance(mesh, [5])
    true = np.linalg.norm(mesh.vertices - mesh.vertices[5], axis=1)
    assert (found >= true - 1e-9).all()
    assert (found - true).max() < 0.05 * true.max()


def test_distances_on_a_sphere_follow_great_circles(icosphere):
    mesh = icosphere(4, radius=10.0)
    found = geodesic_distance(mesh, [0])
    true = 10.0 * np.arccos(np.clip(mesh.vertices @ mesh.vertices[0] / 100.0, -1, 1))
    assert np.abs(found - true).max() < 0.02 * np.pi * 10.0


def test_never_longer_than_along_edges_and_inf_beyond_reach(sheet):
    mesh = sheet(9, 9, seed=2)
    adjacency = vertex_adjacency(mesh.faces, len(mesh.vertices)).tocoo()
    length = np.linalg.norm(mesh.vertices[adjacency.row] - mesh.vertices[adjacency.col], axis=1)
    adjacency.data = length
    edges = dijkstra(adjacency.tocsr(), indices=[0, 40]).min(0)
    found = geodesic_distance(mesh, [0, 40])
    assert (found <= edges + 1e-9).all()
    short = geodesic_distance(mesh, [0, 40], reach_mm=2.0)
    assert np.array_equal(np.isfinite(short), found <= 2.0)
    assert np.allclose(short[np.isfinite(short)], found[found <= 2.0])


def test_other_pieces_are_out_of_reach_and_slivers_do_no_harm():
    vertices = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [1, 1, 0], [9, 9, 9], [10, 9, 9], [9, 10, 9]]
    mesh = Mesh(vertices, [[0, 1, 2], [0, 2, 3], [4, 5, 6]])
    found = geodesic_distance(mesh, [0])
    assert np.allclose(found[:4], [0, 1, 2, np.sqrt(2)])
    assert np.isinf(found[4:]).all()
    with pytest.raises(ValueError, match="source"):
        geodesic_distance(mesh, [])
