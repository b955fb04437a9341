"""Self-intersections are removed by moving free vertices alone."""

import numpy as np

from facecom.geometry.fairing import push_apart, remove_self_intersections
from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import Mesh


def test_what_fixed_vertices_pierce_is_pushed_aside_where_fairing_cannot(sheet) -> None:
    points, faces = sheet(8, 8).vertices, sheet(8, 8).faces
    spike = np.array([[3.6, 3.7, 0.1], [4.3, 4.9, -2.0], [4.9, 4.2, -2.0]])
    both, triangles = np.concatenate([points, spike]), np.concatenate([faces, [[81, 82, 83]]])
    free = np.append(np.abs(points[:, :2] - 4).max(1) < 4, np.zeros(3, bool))
    left, out = (move(both, triangles, free=free) for move in (remove_self_intersections, push_apart))
    assert len(intersecting_edges(Mesh(left, triangles))) > 0
    assert len(intersecting_edges(Mesh(out, triangles))) == 0
    assert np.array_equal(out[~free], both[~free])
    assert np.abs(out - both).max() < 0.5
