import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.guidance.camera import VIEW_ANGLES_RAD, Camera, view_axes, view_cameras
from facecom.guidance.rendering import render

angle = st.floats(-1.2, 1.2)


def cameras(yaw: float, pitch: float) -> list[Camera]:
    where = {"target": [3.0, -5.0, -40.0], "yaw": yaw, "pitch": pitch, "size": 24}
    return [
        Camera.orthographic(half_mm=80.0, **where),
        Camera.pinhole(distance_mm=300.0, field_of_view=0.8, **where),
    ]


@given(angle, angle)
def test_lifting_undoes_projecting(yaw, pitch):
    depth = np.random.default_rng(0).uniform(200, 400, (24, 24))
    column, row = np.meshgrid(np.arange(24) + 0.5, np.arange(24) + 0.5)
    for camera in cameras(yaw, pitch):
        pixel, again = camera.project(camera.unproject(depth))
        assert np.allclose(again, depth)
        assert np.allclose(pixel, np.stack([column, row], -1))


@given(angle, angle)
def test_the_target_is_in_the_middle_and_the_frame_is_right_handed(yaw, pitch):
    axes = view_axes(yaw, pitch)
    assert np.allclose(axes @ axes.T, np.eye(3))
    assert np.isclose(np.linalg.det(axes), 1)
    for camera in cameras(yaw, pitch):
        pixel, _ = camera.project([[3.0, -5.0, -40.0]])
        assert np.allclose(pixel, 12.0)


def test_from_the_front_left_of_the_subject_is_right_in_the_picture_and_up_is_up():
    for camera in cameras(0.0, 0.0):
        pixel, _ = camera.project([[13.0, -5.0, -40.0], [3.0, 5.0, -40.0]])
        assert pixel[0, 0] > 12.0
        assert pixel[1, 1] < 12.0


def test_named_views_stand_where_their_names_say():
    cameras = view_cameras()
    assert list(cameras) == ["front", "left", "right", "below"]
    assert cameras["left"].axes[2, 0] > 0.5 > -0.5 > cameras["right"].axes[2, 0]
    assert cameras["below"].axes[2, 1] < -0.5
    assert set(cameras) == set(VIEW_ANGLES_RAD)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axes": np.diag([1.0, 1.0, -1.0])}, "axes"),
        ({"eye": [0, 0, np.nan]}, "eye"),
        ({"height": 0}, "size"),
        ({"scale": 0.0}, "scale"),
    ],
)
def test_impossible_cameras_are_refused(change, words):
    good = {"axes": np.eye(3), "eye": np.zeros(3), "height": 4, "width": 4, "scale": 1.0, "perspective": False}
    with pytest.raises(ValueError, match=words):
        Camera(**(good | change))


def test_unknown_views_and_wrong_depth_images_are_named():
    with pytest.raises(ValueError, match="'above'; known are front"):
        view_cameras(("front", "above"))
    with pytest.raises(ValueError, match="24 x 24"):
        cameras(0.0, 0.0)[0].unproject(np.zeros((3, 3)))


def test_the_mirrored_camera_takes_the_flipped_picture_of_a_symmetric_face(icosphere):
    ball = icosphere(4, radius=40.0)
    egg = ball.with_vertices(
        ball.vertices * [1.0, 1.3, 0.8] + [0, 0.1, 0] * ball.vertices[:, [2]] * ball.vertices[:, [2]]
    )
    camera = Camera.orthographic(target=[3, 5, -10], half_mm=70, size=32, yaw=0.6, pitch=-0.3)
    one, two = render(egg, camera), render(egg, camera.mirrored())
    assert np.array_equal(one.mask, two.mask[:, ::-1])
    assert np.nanmax(np.abs(one.depth - two.depth[:, ::-1])) < 1e-3
    assert np.abs(one.normals - two.normals[:, ::-1] * [-1, 1, 1]).max() < 1e-2
    assert not np.array_equal(one.mask, render(egg, camera).mask[:, ::-1])
    twice = camera.mirrored().mirrored()
    assert np.allclose(twice.axes, camera.axes) and np.allclose(twice.eye, camera.eye)
