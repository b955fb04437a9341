"""A texture becomes colours of the vertices that it is laid over."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facecom.geometry.mesh import Mesh
from facecom.io.conversion import as_mesh
from facecom.io.files import ScanFile
from facecom.io.texture import sample_texture, with_texture_colors

QUAD = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
FACES = np.array([[0, 1, 2], [0, 2, 3]])
CORNERS = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])


@pytest.fixture
def image() -> np.ndarray:
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4, :, 0] = 200  # the upper half is red: row 0 is v = 1
    picture[:, 4:, 1] = 100  # the right half is green
    return picture


def test_the_image_lies_the_right_way_up(image):
    colors = with_texture_colors(
        ScanFile(Mesh(QUAD, FACES, uv=CORNERS), Path("a.obj"), "float64", texture=image)
    ).colors
    assert np.allclose(colors[:, 0] * 255, [0, 0, 200, 200])
    assert np.allclose(colors[:, 1] * 255, [0, 100, 100, 0])


def test_a_vertex_on_a_seam_gets_the_mean_of_its_places(image):
    corner_uv = CORNERS[FACES]
    corner_uv[1, 0] = [0, 1]  # the same vertex lies in the red half for its second triangle
    file = ScanFile(Mesh(QUAD, FACES, uv=CORNERS), Path("a.obj"), "float64", corner_uv=corner_uv, texture=image)
    assert with_texture_colors(file).colors[0, 0] * 255 == pytest.approx(100)


def test_own_colours_come_first_and_a_texture_without_places_is_logged(image, caplog):
    own = Mesh(QUAD, FACES, colors=np.full((4, 3), 0.25))
    assert (with_texture_colors(ScanFile(own, Path("a.ply"), "float64", texture=image)).colors == 0.25).all()
    bare = Mesh(QUAD, FACES)
    with caplog.at_level(logging.WARNING):
        assert with_texture_colors(ScanFile(bare, Path("bare.obj"), "float64", texture=image)).colors is None
    assert "bare.obj names a texture but holds no texture coordinates" in caplog.text


def test_places_beyond_the_image_repeat_and_unknown_ones_stay_unknown(image):
    found = sample_texture(image, np.array([[0.9, 0.9], [1.9, -0.1], [np.nan, 0.5]]))
    assert np.array_equal(found[0], found[1])
    assert np.isnan(found[2]).all()


def test_a_textured_file_is_read_with_colours(tmp_path, image):
    Image.fromarray(image).save(tmp_path / "skin.png")
    (tmp_path / "skin.mtl").write_text("newmtl skin\nmap_Kd skin.png\n")
    lines = ["mtllib skin.mtl", "usemtl skin", *(f"v {x} {y} {z}" for x, y, z in QUAD)]
    lines += [f"vt {u} {v}" for u, v in CORNERS] + [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in FACES + 1]
    (tmp_path / "scan.obj").write_text("\n".join(lines) + "\n")
    assert np.allclose(as_mesh(tmp_path / "scan.obj").colors[2], [200 / 255, 100 / 255, 0])
