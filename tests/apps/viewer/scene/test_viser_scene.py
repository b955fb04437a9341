"""What is sent to a page."""

import numpy as np
import pytest

from facecom.apps.viewer.scene.painted_mesh import PaintedMesh, PaintedScene
from facecom.apps.viewer.scene.viser_scene import STROKE_NODE, ViserScene
from facecom.geometry.transform import rotation_from_vector


@pytest.fixture
def viser_scene(client):
    return ViserScene(client)


@pytest.fixture
def ball(icosphere):
    return PaintedMesh.of(icosphere(1), (0.5, 0.5, 0.5))


def test_these_meshes_are_shown_and_no_others(viser_scene, client, ball):
    viser_scene.show(PaintedScene({"scan": ball, "patch": ball}, ""))
    assert client.shown == {"scan", "patch"}
    viser_scene.show(PaintedScene({"scan": ball, "face": ball}, ""))
    assert client.shown == {"scan", "face"}


def test_only_what_changes_is_sent(viser_scene, client, ball):
    viser_scene.show_mesh("scan", ball)
    viser_scene.show_mesh("scan", ball)
    assert client.sent == 1
    viser_scene.show_mesh("scan", ball.offset(1.0))
    assert client.sent == 2


def test_drags_reach_old_and_new_meshes_but_not_the_stroke(viser_scene, client, ball):
    viser_scene.show_mesh("scan", ball)
    events = []
    viser_scene.set_drag_callback(events.append)
    viser_scene.show_mesh("missing", ball)
    viser_scene.show_mesh(STROKE_NODE, ball)
    for node in client.nodes.values():
        node.fire("drag")
    assert events == ["drag", "drag"]
    viser_scene.set_drag_callback(None)
    for node in client.nodes.values():
        node.fire("drag")
    assert len(events) == 2


def test_the_camera_has_the_pages_rotation(viser_scene, client):
    vector = np.array([0.3, -0.8, 0.2])
    angle = np.linalg.norm(vector)
    client.camera.wxyz = (np.cos(angle / 2), *(np.sin(angle / 2) * vector / angle))
    camera = viser_scene.camera()
    assert camera.rotation == pytest.approx(rotation_from_vector(vector), abs=1e-12)
    client.camera.wxyz = (1.0, 0.0, 0.0, 0.0)
    assert np.array_equal(viser_scene.camera().rotation, np.eye(3))


def test_there_is_one_handle_at_a_time(viser_scene, client):
    viser_scene.show_handle(np.array([1.0, 2.0, 3.0]), lambda event: None)
    viser_scene.show_handle(np.array([4.0, 5.0, 6.0]), lambda event: None)
    assert [handle.removed for handle in client.handles] == [True, False]
    assert client.handles[1].position == (4.0, 5.0, 6.0)
    viser_scene.show_handle(None, lambda event: None)
    assert all(handle.removed for handle in client.handles) and len(client.handles) == 2
