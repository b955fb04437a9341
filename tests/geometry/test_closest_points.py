import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.closest_points import Surface, closest_barycentric
from facecom.geometry.mesh import Mesh, face_normals

SEEDS = st.integers(0, 10_000)


def slow_closest(point: np.ndarray, corners: np.ndarray, *, steps: int = 200) -> float:
    """Distance to one triangle by trying the points of a fine barycentric lattice."""
    i, j = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1))
    inside = i + j <= steps
    v, w = i[inside] / steps, j[inside] / steps
    lattice = np.stack([1 - v - w, v, w], 1) @ corners
    return float(np.linalg.norm(lattice - point, axis=1).min())


@given(SEEDS)
def test_the_closest_point_of_a_triangle_is_never_beaten_by_a_lattice(seed):
    rng = np.random.default_rng(seed)
    corners, point = rng.normal(size=(3, 3)), rng.normal(size=3) * 2
    weights = closest_barycentric(point[None], corners[None])[0]
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    found = float(np.linalg.norm(weights @ corners - point))
    slow = slow_closest(point, corners)
    assert found <= slow + 1e-12
    assert slow - found < 0.03  # half a lattice step of the longest edges that occur


@pytest.mark.parametrize("corners", [[[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[1, 1, 1]] * 3])
def test_degenerate_triangles_are_segments_and_points(corners):
    corners = np.array(corners, float)
    weights = closest_barycentric(np.array([[1.5, 2.0, 0.0]]), corners[None])[0]
    nearest = np.array([1.5, 0, 0]) if corners[1, 0] != corners[0, 0] else np.array([1.0, 1, 1])
    np.testing.assert_allclose(weights @ corners, nearest, atol=1e-12)


@given(SEEDS)
def test_closest_points_agree_with_a_loop_over_all_faces(seed):
    rng = np.random.default_rng(seed)
    vertices, faces = rng.normal(size=(12, 3)) * 50, np.array([rng.choice(12, 3, replace=False) for _ in range(15)])
    points = rng.normal(size=(20, 3)) * 80
    answer = Surface(Mesh(vertices, faces)).closest(points)
    corners = vertices[faces]
    each = np.empty((20, 15))
    for k in range(15):
        weights = closest_barycentric(points, np.broadcast_to(corners[k], (20, 3, 3)))
        each[:, k] = np.linalg.norm(weights @ corners[k] - points, axis=1)
    np.testing.assert_allclose(answer.distance, each.min(1), atol=1e-4)
    named = np.einsum("qk,qkd->qd", answer.barycentric, corners[answer.faces])
    np.testing.assert_allclose(named, answer.points, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(answer.points - points, axis=1), answer.distance, atol=1e-12)


def test_points_of_the_surface_are_at_distance_zero_even_far_from_the_origin(icosphere):
    ball = icosphere(3, radius=80.0)
    far = ball.with_vertices(ball.vertices + [1e5, -2e5, 3e5])
    on = far.vertices[far.faces].mean(1)
    assert Surface(far).closest(on).distance.max() < 1e-4


def test_distances_to_a_sphere_are_known(icosphere):
    ball = icosphere(4, radius=80.0)
    directions = face_normals(ball)[::50]
    answer = Surface(ball).closest(directions * 100)
    np.testing.assert_allclose(answer.distance, 20, atol=0.15)  # the flat faces lie up to 0.13 inside the sphere


def test_rays_agree_with_the_plane_equation():
    rng = np.random.default_rng(0)
    corners = np.array([[0.0, 0, 5], [10, 0, 6], [0, 10, 7]])
    surface = Surface(Mesh(corners, [[0, 1, 2]]))
    origins = np.concatenate([rng.uniform(-5, 10, (200, 2)), np.zeros((200, 1))], 1)
    hits = surface.cast(origins, [0.0, 0.0, 1.0])
    depth = 5 + origins[:, 0] / 10 + origins[:, 1] / 5
    inside = (origins[:, 0] > 0) & (origins[:, 1] > 0) & (origins[:, :2].sum(1) < 10)
    assert 20 < inside.sum() < 180
    np.testing.assert_array_equal(np.isfinite(hits.depth), inside)
    np.testing.assert_array_equal(hits.faces, np.where(inside, 0, -1))
    np.testing.assert_allclose(hits.depth[inside], depth[inside], rtol=1e-5)
    met = origins[inside] + hits.depth[inside, None] * [0, 0, 1]
    np.testing.assert_allclose(hits.barycentric[inside] @ corners, met, atol=1e-4)


def test_the_depth_of_a_ray_is_in_lengths_of_its_direction():
    surface = Surface(Mesh([[0, 0, 8], [9, 0, 8], [0, 9, 8]], [[0, 1, 2]]))
    assert surface.cast([[1, 1, 0]], [[0, 0, 2]]).depth.tolist() == [4]


def test_no_questions_get_no_answers():
    surface = Surface(Mesh(np.eye(3), [[0, 1, 2]]))
    assert surface.closest(np.zeros((0, 3))).points.shape == (0, 3)
    assert surface.cast(np.zeros((0, 3)), [0, 0, 1.0]).depth.shape == (0,)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_points_that_are_nowhere_are_refused(value):
    surface = Surface(Mesh(np.eye(3), [[0, 1, 2]]))
    with pytest.raises(ValueError, match="finite"):
        surface.closest([[0, 0, 0], [0, value, 0]])
    with pytest.raises(ValueError, match="finite"):
        Surface(Mesh([[0, 0, 0], [1, 0, 0], [0, 1, value]], [[0, 1, 2]]))


def test_a_surface_needs_a_face():
    with pytest.raises(ValueError, match="at least one face"):
        Surface(Mesh(np.eye(3), []))
