import numpy as np
import pytest

from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.guidance.camera import Camera, view_cameras
from facecom.guidance.rendering import render
from facecom.guidance.targets import ImageTarget, depth_from_normals, observations


@pytest.fixture(scope="module")
def ball(icosphere) -> Mesh:
    return icosphere(3, radius=60.0)


def target_of(mesh: Mesh, camera: Camera, *, sigma: float = 1.0, pixels=None) -> ImageTarget:
    picture = render(mesh, camera)
    mask = picture.mask if pixels is None else picture.mask & pixels
    return ImageTarget(camera, picture.depth, picture.normals, np.full(mask.shape, sigma), mask)


def cameras(size: int = 24) -> list[Camera]:
    return list(view_cameras(target=(0, 0, 0), half_mm=70, size=size).values())


def test_observing_a_face_through_its_own_pictures_leaves_no_gap(ball):
    seen = observations([target_of(ball, c) for c in cameras()], ball.vertices, ball.faces)
    _, residuals, weights = seen.jacobian_rows(ball.vertices, np.zeros((3 * len(ball.vertices), 2)))
    assert np.abs(residuals).max() < 1e-3
    assert (weights > 0).all()
    assert len(seen.points) > 200


def test_rows_are_the_derivative_of_the_gap(ball):
    """Against finite differences, in the code's direction and in a small motion of the face."""
    jacobian = np.random.default_rng(0).normal(size=(3 * len(ball.vertices), 2))
    other = ball.with_vertices(ball.vertices * [1.03, 0.98, 1.05])
    seen = observations([target_of(other, cameras()[1])], ball.vertices, ball.faces)
    rows, residuals, _ = seen.jacobian_rows(ball.vertices, jacobian)
    assert rows.shape == (len(residuals), 2 + 6)
    step, turn, shift = np.array([0.01, -0.02]), np.array([0.001, 0.002, -0.001]), np.array([0.02, 0.01, -0.03])
    moved = ball.vertices + (jacobian @ step).reshape(-1, 3) + np.cross(turn, ball.vertices) + shift
    _, after, _ = seen.jacobian_rows(moved, jacobian)
    assert np.allclose(residuals - after, rows @ np.concatenate([step, turn, shift]), atol=1e-9)


def test_the_rows_find_the_size_of_a_larger_ball(ball):
    """One code entry grows the ball; the pictures of a ball 0.6 mm larger must make it 0.6."""
    jacobian = vertex_normals(ball.vertices, ball.faces).reshape(-1, 1)
    larger = ball.with_vertices(ball.vertices * 1.01)
    seen = observations([target_of(larger, c) for c in cameras()], ball.vertices, ball.faces)
    rows, residuals, weights = seen.jacobian_rows(ball.vertices, jacobian)
    code = np.linalg.solve((rows * weights[:, None]).T @ rows + 1e-9 * np.eye(7), rows.T @ (weights * residuals))
    assert abs(code[0] - 0.6) < 0.03


def test_pixels_that_repeat_each_other_count_together(ball):
    """Twice the resolution, or the same view twice, says nothing new."""
    total = {}
    for size in (24, 48):
        for copies in (1, 2):
            camera = Camera.orthographic(target=[0, 0, 0], half_mm=70, size=size)
            seen = observations([target_of(ball, camera)] * copies, ball.vertices, ball.faces, correlation_mm=15)
            total[size, copies] = float(np.sum(1 / seen.sigma_mm**2))
    assert abs(total[48, 1] / total[24, 1] - 1) < 0.1
    assert abs(total[24, 2] / total[24, 1] - 1) < 1e-9


def test_grazing_pixels_are_left_out_and_nothing_gives_none(ball):
    camera = cameras()[0]
    seen = observations([target_of(ball, camera)], ball.vertices, ball.faces, min_facing=0.8)
    assert (seen.normals @ camera.axes[2] > 0.8).all()
    away = ball.with_vertices(ball.vertices + [0, 500, 0])
    assert observations([target_of(ball, camera)], away.vertices, away.faces) is None


def test_impossible_targets_are_refused(ball):
    camera = cameras()[0]
    good = target_of(ball, camera)
    with pytest.raises(ValueError, match="mask is empty"):
        ImageTarget(camera, good.depth, good.normals, good.sigma_mm, np.zeros((24, 24), bool))
    with pytest.raises(ValueError, match="depth must have"):
        ImageTarget(camera, good.depth[:5], good.normals, good.sigma_mm, good.mask)
    for depth, sigma in ((np.full((24, 24), np.nan), good.sigma_mm), (good.depth, np.zeros((24, 24)))):
        with pytest.raises(ValueError, match="finite depth and a positive sigma"):
            ImageTarget(camera, depth, good.normals, sigma, good.mask)


def test_depth_follows_from_normals(ball):
    camera = Camera.orthographic(target=[0, 0, 0], half_mm=40, size=40, yaw=0.4)
    picture = render(ball, camera)
    mask = np.zeros((40, 40), bool)
    mask[12:30, 8:28] = True
    filled = depth_from_normals(np.where(mask, np.nan, picture.depth), picture.normals, mask, camera)
    assert np.array_equal(filled[~mask], picture.depth[~mask])
    assert np.abs(filled - picture.depth)[mask].max() < 0.4
    tall = depth_from_normals(np.where(mask, np.nan, picture.depth + 7), picture.normals, mask, camera)
    assert np.allclose(tall[mask] - filled[mask], 7, atol=1e-3)
    with pytest.raises(ValueError, match="orthographic"):
        depth_from_normals(
            picture.depth,
            picture.normals,
            mask,
            Camera.pinhole(target=[0, 0, 0], distance_mm=200, field_of_view=0.5, size=40),
        )
