"""Texture images within bounds."""

import numpy as np
from PIL import Image

from facecom.io.texture_images import colors_of_textures, load_image, mean_vertex_colors

FACES = np.array([[0, 1, 2], [2, 1, 3]])
UV = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def test_an_image_is_read_within_its_bounds_alone(tmp_path, caplog):
    path = tmp_path / "a.png"
    Image.new("RGB", (20, 10), (9, 8, 7)).save(path)
    assert load_image(path, pixels=200).tolist() == [[[9, 8, 7]] * 20] * 10
    assert load_image(path, pixels=199) is None
    assert "20 x 10 pixels" in caplog.text


def test_an_image_of_any_number_of_pixels_is_judged_before_it_is_read(tmp_path, caplog):
    path = tmp_path / "bomb.png"
    Image.new("1", (16_000, 16_000)).save(path)
    assert load_image(path) is None
    assert "bomb.png" in caplog.text


def test_what_is_no_image_is_none(tmp_path, caplog):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert load_image(tmp_path / "a.png") is None
    assert "cannot be read" in caplog.text


def test_a_vertex_has_the_mean_of_its_corners_and_grey_without_any():
    sampled = np.array([[1.0, 0, 0], [0, 0, 0], [np.nan] * 3])
    assert mean_vertex_colors(np.array([0, 0, 1]), sampled, 3).tolist() == [[0.5, 0, 0], [0.5] * 3, [0.5] * 3]


def test_images_lie_on_their_own_faces_and_a_missing_one_gives_nothing():
    red, blue = (np.full((2, 2, 3), color, np.uint8) for color in ([255, 0, 0], [0, 0, 255]))
    uv = np.stack([UV, UV + [3.0, 1.0]])
    colors = colors_of_textures([red, blue], FACES, np.array([0, 1]), uv, 4)
    assert colors.tolist() == [[1, 0, 0], [0.5, 0, 0.5], [0.5, 0, 0.5], [0, 0, 1]]
    assert colors_of_textures([red, None], FACES, np.array([0, 1]), uv, 4)[3].tolist() == [0.5] * 3
    assert colors_of_textures([red, blue], FACES, np.array([-1, -1]), uv, 4).tolist() == [[0.5] * 3] * 4
