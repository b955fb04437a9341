"""Which edges pierce which faces."""

import numpy as np

from facecom.geometry.intersections import self_intersections
from facecom.geometry.mesh import Mesh


def test_a_face_that_only_touches_an_edge_hides_none_that_the_edge_pierces() -> None:
    edge = [[0.0, 0, 4e-6], [1, 0, -4e-6], [0.5, 0, 9]]
    grazed = [[0.3, -1.0, 0], [0.6, 0, 0], [0.3, 1, 0]]
    pierced = [[0.8, -1.0, -1], [0.8, 1, -1], [0.8, 0, 1]]
    points = np.array(edge + grazed + pierced)
    faces = np.arange(9).reshape(3, 3)
    found, by = self_intersections(Mesh(points, faces))
    assert [0, 1] in found.tolist()
    assert (by[(found == [0, 1]).all(1)] == 2).all()
