"""Constrained triangulations tile the hull and hold their segments."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from facecom.geometry.mesh import unique_edges
from facecom.stitching.planar_triangulation import constrained_triangles, crossing_segments, has_edges, signed_areas


def star(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random points and a polygon through some of them that does not cross itself."""
    rng = np.random.default_rng(seed)
    points = rng.random((4 * count, 2))
    ring = rng.choice(4 * count, count, replace=False)
    ring = ring[np.argsort(np.arctan2(*(points[ring] - 0.5).T))]
    return points, np.stack([ring, np.roll(ring, -1)], 1)


@given(count=st.integers(5, 60), seed=st.integers(0, 1000))
def test_constrained_triangles_tile_the_hull_and_hold_each_segment(count: int, seed: int) -> None:
    points, segments = star(count, seed)
    angle = np.arctan2(*(points[segments[:, 0]] - 0.5).T)
    assume(np.diff(np.append(angle, angle[0] + 2 * np.pi)).max() < np.pi)  # else the last side may cross the others
    triangles, present = constrained_triangles(points, segments)
    area = signed_areas(points, triangles)
    assert present.all()
    assert has_edges(triangles, segments, len(points)).all()
    assert area.min() > 0
    assert unique_edges(triangles)[2].max() <= 2
    assert 0.5 * area.sum() == pytest.approx(ConvexHull(points).volume)


def test_of_two_crossing_segments_one_is_refused() -> None:
    points = np.array([[0.0, 0], [1, 0], [1.1, 1.2], [0, 1]])
    triangles, present = constrained_triangles(points, np.array([[0, 2], [1, 3]]))
    assert present.sum() == 1
    assert len(triangles) == 2


def test_crossing_segments_ignore_shared_ends() -> None:
    points = np.array([[0.0, 0], [1, 1], [0, 1], [1, 0], [2, 2]])
    segments = np.array([[0, 1], [2, 3], [1, 4], [4, 2]])
    assert crossing_segments(points[segments[:, 0]], points[segments[:, 1]]).tolist() == [[0, 1]]
