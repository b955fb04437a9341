"""Edge flips reach Delaunay triangles; splits leave no old edge."""

import numpy as np

from facecom.geometry.mesh import unique_edges
from facecom.stitching.planar_triangulation import constrained_triangles
from facecom.stitching.rim_triangulation import flip_edges, split_edges

NONE = np.zeros((0, 2), int)


def test_flip_edges_reaches_the_delaunay_triangles_of_a_flat_sheet() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.random((60, 2)), [[-1, -1], [2, -1], [2, 2], [-1, 2]]])
    wanted, _ = constrained_triangles(points, NONE)
    forced, _ = constrained_triangles(points, np.array([[0, 40]]))
    space = np.concatenate([points, np.zeros((64, 1))], 1)
    out = flip_edges(forced, uv=points, positions=space, fixed=NONE, passes=50)
    assert {frozenset(t) for t in out.tolist()} == {frozenset(t) for t in wanted.tolist()}


def test_flip_edges_never_makes_a_fixed_edge() -> None:
    points = np.array([[0.0, 0], [10, 0], [5, 1], [5, -1]])
    triangles = np.array([[0, 1, 2], [1, 0, 3]])
    space = np.concatenate([points, np.zeros((4, 1))], 1)
    free = flip_edges(triangles, uv=points, positions=space, fixed=NONE)
    assert (np.sort(free, 1) == [0, 2, 3]).all(1).any()
    assert np.array_equal(flip_edges(triangles, uv=points, positions=space, fixed=np.array([[3, 2]])), triangles)


def test_split_edges_replaces_an_edge_by_two_in_all_its_triangles() -> None:
    triangles, parents = split_edges(np.array([[0, 1, 2], [1, 0, 3]]), np.array([[0, 1]]), 4)
    assert parents.tolist() == [[0, 1]]
    assert len(triangles) == 4
    edges, _, used = unique_edges(triangles)
    assert [0, 1] not in edges.tolist()
    assert used.max() == 2
