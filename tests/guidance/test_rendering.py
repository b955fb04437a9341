"""Renders as arrays: depth, normals, shading, labels and what is refused."""

import numpy as np
import pytest

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, unit
from facecom.guidance.camera import Camera
from facecom.guidance.rendering import Scene, rasterise, render


def both(size: int = 48) -> list[Camera]:
    where = {"target": [0, 0, 0], "size": size, "yaw": 0.5, "pitch": -0.3}
    return [
        Camera.orthographic(half_mm=45, **where),
        Camera.pinhole(distance_mm=200, field_of_view=0.5, **where),
    ]


@pytest.mark.parametrize("camera", both(), ids=["orthographic", "pinhole"])
def test_depth_lifts_to_points_on_the_surface(bumpy_ball, camera):
    picture = render(bumpy_ball, camera)
    distance = Surface(bumpy_ball).closest(camera.unproject(picture.depth)[picture.mask]).distance
    assert picture.mask.mean() > 0.3
    assert distance.max() < 1e-3
    assert np.isnan(picture.depth[~picture.mask]).all()


@pytest.mark.parametrize("camera", both(), ids=["orthographic", "pinhole"])
def test_normals_of_a_ball_point_away_from_its_middle(icosphere, camera):
    picture = render(icosphere(5, radius=40.0), camera)
    out = unit(camera.unproject(picture.depth)[picture.mask])
    assert np.degrees(np.arccos(np.clip((out * picture.normals[picture.mask]).sum(1), -1, 1))).max() < 0.5
    assert (picture.normals[~picture.mask] == 0).all()


def test_shading_is_brightest_towards_the_light(bumpy_ball):
    camera = both()[0]
    bright = render(bumpy_ball, camera, light=(1, 0, 0), ambient=0.1).shading
    assert bright[:, 32:].sum() > 2 * bright[:, :16].sum()
    assert bright.max() <= 1


def test_labels_and_colours_are_those_of_the_surface(bumpy_ball):
    left = (bumpy_ball.vertices[:, 0] > 0).astype(int)
    camera = both()[0]
    coloured = Mesh(bumpy_ball.vertices, bumpy_ball.faces, colors=np.repeat(left[:, None], 3, 1))
    picture = render(coloured, camera, labels=left)
    x = camera.unproject(picture.depth)[..., 0]
    far = picture.mask & (np.abs(x) > 4)
    assert (picture.labels[far] == (x[far] > 0)).all()
    assert np.allclose(picture.colors[far][:, 0], x[far] > 0)
    assert (picture.labels[~picture.mask] == -1).all()
    assert np.allclose(picture.rgb()[far], picture.shading[far][:, None] * picture.colors[far])


def test_what_shows_its_back_is_not_seen(bumpy_ball):
    inside = bumpy_ball.submesh(bumpy_ball.vertices[bumpy_ball.faces].mean(1)[:, 2] < -10)[0]
    camera = Camera.orthographic(target=[0, 0, 0], half_mm=45, size=32)
    assert (rasterise(inside, camera).faces >= 0).any()
    with pytest.raises(ValueError, match="nothing of the mesh"):
        render(inside, camera)


@pytest.mark.parametrize("camera", both(), ids=["orthographic", "pinhole"])
def test_a_surface_and_a_scene_give_the_picture_of_their_mesh(bumpy_ball, camera):
    scene, alone = Scene(bumpy_ball), render(bumpy_ball, camera)
    for picture in (render(Surface(bumpy_ball), camera), render(scene, camera), render(scene, camera)):
        assert np.array_equal(picture.depth, alone.depth, equal_nan=True)
        assert np.array_equal(picture.normals, alone.normals)
        assert np.array_equal(picture.fragments.faces, alone.fragments.faces)


def test_views_with_nothing_in_them_and_wrong_options_are_named(bumpy_ball):
    with pytest.raises(ValueError, match="nothing of the mesh"):
        render(bumpy_ball, Camera.orthographic(target=[900, 0, 0], half_mm=45, size=8))
    with pytest.raises(ValueError, match="open3d, pytorch3d"):
        render(bumpy_ball, both()[0], backend="opengl")
    with pytest.raises(ValueError, match="3 entries for"):
        render(bumpy_ball, both()[0], labels=[0, 1, 2])
