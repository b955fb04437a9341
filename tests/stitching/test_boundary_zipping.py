"""Boundaries that run along each other are zipped, others are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.mesh import boundary_edges, unique_edges
from facecom.stitching.boundary_zipping import zip_boundaries


def two_rings(n: int, m: int, *, gap: float, phase: float = 0.0, opposite: bool = True):
    """Points of two rings, one above the other, and their directed edges."""
    points, edges = [], []
    for k, (count, start) in enumerate(((n, 0.0), (m, phase))):
        angle = start + 2 * np.pi * np.arange(count) / count
        points.append(np.stack([np.cos(angle), np.sin(angle), np.full(count, -gap * k)], 1))
        ring = np.stack([np.arange(count), (np.arange(count) + 1) % count], 1) + k * n
        edges.append(ring[:, ::-1] if k and opposite else ring)
    return np.concatenate(points), np.concatenate(edges)


@given(n=st.integers(20, 60), m=st.integers(20, 60), phase=st.floats(0, 6.2))
def test_the_strip_uses_every_edge_of_both_boundaries_once_in_the_other_direction(n, m, phase):
    points, edges = two_rings(n, m, gap=0.05, phase=phase)
    triangles, zipped = zip_boundaries(points, edges, on_face=np.zeros(n + m, bool), reach_mm=0.5)
    assert zipped.all()
    assert len(triangles) == n + m
    assert {tuple(e) for e in boundary_edges(triangles).tolist()} == {(b, a) for a, b in edges.tolist()}
    assert unique_edges(triangles)[2].max() == 2


@pytest.mark.parametrize(
    ("change", "on_face"),
    [({"gap": 0.7}, False), ({"gap": 0.05, "opposite": False}, False), ({"gap": 0.05}, True)],
    ids=["too far apart", "in the same direction", "on the face"],
)
def test_other_boundaries_are_left(change, on_face):
    points, edges = two_rings(40, 40, **change)
    triangles, zipped = zip_boundaries(points, edges, on_face=np.full(80, on_face), reach_mm=0.5)
    assert len(triangles) == 0
    assert not zipped.any()
