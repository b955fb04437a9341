"""Distances with a side, of closed and of open surfaces."""

import numpy as np

from facecom.geometry.mesh import Mesh
from facecom.geometry.signed_distance import SignedDistance


def test_the_side_of_a_closed_surface_is_that_of_its_volume():
    # A box with sharp edges and corners, where closest points lie on edges and corners and one face's normal errs.
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    box = Mesh(corners, [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    points = np.random.default_rng(0).uniform(-1.5, 2.5, (5000, 3))
    signed = SignedDistance(box).at(points)
    inside = ((points > 0) & (points < 1)).all(1)
    assert np.array_equal(signed < 0, inside)
    outside = np.linalg.norm(np.maximum(np.maximum(-points, points - 1), 0), axis=1)
    assert np.allclose(signed[~inside], outside[~inside], atol=1e-6)


def test_beyond_the_border_of_an_open_surface_there_is_no_side(sheet):
    flat = sheet(4, 4)
    normal_up = SignedDistance(flat).at([[2, 2, 0.5]])[0] > 0
    below = [[2, 2, -0.7], [1.0, 3.0, -0.7], [-1, 2, -0.7], [5, 5, -3.0]]
    signed = SignedDistance(flat if normal_up else Mesh(flat.vertices, flat.faces[:, ::-1])).at(below)
    assert (signed[:2] < 0).all() and (signed[2:] > 0).all()
