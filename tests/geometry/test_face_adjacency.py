"""Pairs of faces at edges against a plain search."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.face_adjacency import faces_at_edges
from facecom.geometry.mesh import unique_edges


@given(seed=st.integers(0, 1000))
def test_the_faces_at_an_edge_are_those_that_hold_both_its_ends(seed, sheet):
    mesh = sheet(4, 5)
    rng = np.random.default_rng(seed)
    faces = mesh.faces[rng.permutation(len(mesh.faces))]
    edges, edge_of_corner, used = unique_edges(faces)
    chosen = (used == 2) & (rng.random(len(edges)) < 0.7)
    corners = faces_at_edges(edge_of_corner, chosen)
    assert len(corners) == chosen.sum()
    for edge, pair in zip(edges[chosen], corners, strict=True):
        expected = [k for k, face in enumerate(faces.tolist()) if set(edge.tolist()) <= set(face)]
        assert sorted(pair % len(faces)) == expected
        for corner in pair:
            face, first = faces[corner % len(faces)], corner // len(faces)
            assert {face[first], face[(first + 1) % 3]} == set(edge.tolist())
