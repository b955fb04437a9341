"""Sheets that run through each other are reconnected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.fairing import push_apart, remove_self_intersections_membrane
from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Mesh, boundary_edges, face_components, unique_edges
from facecom.stitching.planar_triangulation import has_edges
from facecom.stitching.reconnection import reconnect_sheets

NONE = np.zeros((0, 2), int)


@pytest.mark.slow
@given(seed=st.integers(0, 60))
def test_discs_of_linked_borders_are_reconnected_where_they_cross(seed: int, linked_discs) -> None:
    points, triangles = linked_discs(seed)
    free = np.ones(len(points), bool)
    free[boundary_edges(triangles)] = False
    moved = push_apart(remove_self_intersections_membrane(points, triangles, free=free), triangles, free=free)
    assert len(first_intersections(Mesh(moved, triangles))[0]) > 0  # no way to move them would do
    before = triangles.copy()
    out = reconnect_sheets(points, triangles, fixed=NONE)
    assert np.array_equal(before, triangles)
    assert len(first_intersections(Mesh(points, out))[0]) == 0
    assert {tuple(e) for e in boundary_edges(out).tolist()} == {tuple(e) for e in boundary_edges(triangles).tolist()}
    assert unique_edges(out)[2].max() == 2
    assert face_components(out).max() == 0
    taken, _, _ = unique_edges(out)
    new = taken[~has_edges(triangles, taken, len(points))]
    again = reconnect_sheets(points, triangles, fixed=new)
    assert not has_edges(again, new, len(points)).any()


def test_what_does_not_cross_is_not_reconnected(sheet) -> None:
    points, faces = sheet(8, 8).vertices, sheet(8, 8).faces
    assert reconnect_sheets(points, faces, fixed=NONE) is faces
