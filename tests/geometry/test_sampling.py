import numpy as np
import pytest

from facecom.geometry.mesh import Mesh, face_areas
from facecom.geometry.sampling import sample_surface


def test_points_lie_where_their_coordinates_say(icosphere):
    ball = icosphere(2)
    drawn = sample_surface(ball, 500, seed=1)
    assert drawn.barycentric.min() >= 0
    np.testing.assert_allclose(drawn.barycentric.sum(1), 1)
    corners = ball.vertices[ball.faces[drawn.faces]]
    np.testing.assert_allclose(np.einsum("nk,nkd->nd", drawn.barycentric, corners), drawn.points)


def test_points_are_spread_by_area_and_evenly_within_a_face():
    mesh = Mesh([[0, 0, 0], [3, 0, 0], [0, 2, 0], [0, 0, 1], [0, 0, 0.5]], [[0, 1, 2], [0, 3, 1], [0, 4, 4]])
    drawn = sample_surface(mesh, 40_000, seed=0)
    share = np.bincount(drawn.faces, minlength=3) / 40_000
    np.testing.assert_allclose(share, face_areas(mesh) / face_areas(mesh).sum(), atol=0.01)
    inside = drawn.barycentric[drawn.faces == 0]
    np.testing.assert_allclose(inside.mean(0), 1 / 3, atol=0.01)
    # Each corner's quarter, cut off at the midpoints of the sides, holds a quarter of the points.
    np.testing.assert_allclose((inside > 0.5).mean(0), 1 / 4, atol=0.01)


def test_the_seed_decides(icosphere):
    first, again, other = (sample_surface(icosphere(1), 9, seed=s).points for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_surface_without_area_is_refused():
    with pytest.raises(ValueError, match="no area"):
        sample_surface(Mesh(np.zeros((3, 3)), [[0, 1, 2]]), 1, seed=0)
