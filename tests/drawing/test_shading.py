"""Rendering of meshes and point sets."""

import numpy as np
import pytest

from facecom.drawing.shading import Frame, MeshRenderer, ViewDirection
from facecom.geometry.mesh import Mesh

SIZE = 60


def drawn(picture: np.ndarray) -> np.ndarray:
    return (picture < 250).any(-1)


def test_a_square_is_drawn_where_it_is():
    square = Mesh([[0, 0, 0], [30, 0, 0], [30, 30, 0], [0, 30, 0]], [[0, 1, 2], [0, 2, 3]])
    picture = MeshRenderer(square, pixel_mm=2.0).shade(
        np.full((4, 3), 0.5), ViewDirection("front"), Frame(np.zeros(3), 60.0, SIZE)
    )
    rows, columns = np.nonzero(drawn(picture))
    assert (columns.min(), columns.max()) == (30, 44)  # x, to the subject's left, runs to the right of the picture
    assert (rows.min(), rows.max()) == (15, 29)  # y runs up
    assert drawn(picture).sum() == 15 * 15


@pytest.mark.parametrize(
    ("view", "row", "column"),
    [
        (ViewDirection("front"), 0, 0),
        (ViewDirection("left", np.pi / 2), 0, -1),
        (ViewDirection("right", -np.pi / 2), 0, 1),
        (ViewDirection("below", 0, -np.pi / 2), 1, 0),
    ],
)
def test_the_nose_points_where_the_view_says(view, row, column):
    """A spike towards +z, seen from the front, from the subject's left and right, and from below."""
    spike = Mesh([[-5, -5, 0], [5, -5, 0], [0, 5, 0], [0, 0, 50]], [[0, 1, 3], [1, 2, 3], [2, 0, 3], [0, 2, 1]])
    picture = MeshRenderer(spike, pixel_mm=2.0).shade(np.full((4, 3), 0.5), view, Frame(np.zeros(3), 60.0, SIZE))
    rows, columns = np.nonzero(drawn(picture))
    reach = np.array([29.5 - rows.min(), rows.max() - 29.5, columns.max() - 29.5, 29.5 - columns.min()])
    wanted = np.array([row > 0, row < 0, column > 0, column < 0])
    assert (reach[wanted] > 18).all()
    assert (reach[~wanted] < 10).all()


def test_of_points_in_one_pixel_the_foremost_is_shown(bump):
    layers = [bump.vertices + [0, 0, depth] for depth in (-20, 0, -40)]
    colors = np.repeat([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], len(bump.vertices), axis=0)
    normals = np.broadcast_to([0, 0, 1.0], colors.shape)
    cloud = Mesh(np.concatenate(layers), np.zeros((0, 3), int), normals=normals)
    picture = (
        MeshRenderer(cloud, pixel_mm=2.0)
        .shade(colors, ViewDirection("front"), Frame(np.zeros(3), 60.0, SIZE))
        .astype(int)
    )
    assert (picture[..., 1] > picture[..., [0, 2]].max(-1)).all()


def test_a_view_is_cast_once_however_many_colours_it_is_drawn_in(bump, monkeypatch):
    drawing, frame = MeshRenderer(bump, pixel_mm=2.0), Frame(np.zeros(3), 60.0, SIZE)
    plain = drawing.shade((0.5, 0.5, 0.5), ViewDirection("front"), frame)
    monkeypatch.setattr(drawing._surface, "cast", None)
    assert np.array_equal(drawing.shade(np.full((len(bump.vertices), 3), 0.5), ViewDirection("front"), frame), plain)
    red = drawing.shade(np.tile([1.0, 0, 0], (len(bump.vertices), 1)), ViewDirection("front"), frame)
    assert (red[drawn(red)][:, 1:] == 0).all()
