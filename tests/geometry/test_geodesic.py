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


def test_the_order_in_which_fronts_move_changes_nothing(icosphere):
    rng = np.random.default_rng(5)
    ball = icosphere(1, radius=4.0)
    rough = ball.with_vertices(ball.vertices * rng.uniform(0.6, 1.4, (len(ball.vertices), 1)))
    found, slow = geodesic_distance(rough, [3, 40]), np.full(len(rough.vertices), np.inf)
    slow[[3, 40]] = 0.0
    for _ in range(200):  # every triangle, every round
        before = slow.copy()
        for face in rough.faces:
            for k in range(3):
                a, b, c = np.roll(face, k)
                slow[c] = min(slow[c], _straight_on(rough.vertices[[a, b, c]], slow[a], slow[b]))
        if np.array_equal(before, slow, equal_nan=True):
            break
    assert np.allclose(found, slow, atol=1e-5)


def _straight_on(corners, first, second):
    """The least way to the third corner over a point of the first edge, tried at many points of it."""
    share = np.linspace(0.0, 1.0, 2001)
    if not np.isfinite(first + second):
        share = np.array([0.0, 1.0])
    start = [first if k == 0 else second if k == 1 else (1 - k) * first + k * second for k in share]
    over = (1 - share)[:, None] * corners[0] + share[:, None] * corners[1]
    return float((start + np.linalg.norm(over - corners[2], axis=1)).min())


def test_other_pieces_are_out_of_reach_and_slivers_do_no_harm():
    vertices = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [1, 1, 0], [9, 9, 9], [10, 9, 9], [9, 10, 9]]
    mesh = Mesh(vertices, [[0, 1, 2], [0, 2, 3], [4, 5, 6]])
    found = geodesic_distance(mesh, [0])
    assert np.allclose(found[:4], [0, 1, 2, np.sqrt(2)])
    assert np.isinf(found[4:]).all()
    with pytest.raises(ValueError, match="source"):
        geodesic_distance(mesh, [])
