"""Small pictures of surfaces."""

import io
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from facecom.drawing import colors
from facecom.drawing.shading import Frame, MeshRenderer, ViewDirection
from facecom.provenance import Provenance
from facecom.report.pictures import Picture, PictureRenderer, jpeg_bytes


@pytest.fixture
def renderer(bump):
    return PictureRenderer(Frame.around(bump.vertices, size=60), ViewDirection("front"))


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.jpeg)).convert("RGB")).astype(int)


def test_a_data_uri_holds_the_jpeg():
    picture = Picture(jpeg_bytes(np.full((8, 8, 3), 200, np.uint8)), "grey")
    head, _, data = picture.uri.partition(",")
    assert head == "data:image/jpeg;base64" and b64decode(data) == picture.jpeg
    assert np.abs(pixels(picture) - 200).max() <= 2


def test_heat_is_darker_for_larger_values_and_its_legend_names_the_end(renderer, bump):
    x = bump.vertices[:, 0]
    picture = renderer.heat(bump, np.where(x > 0, 3.0, 0.1), "distance")
    shown = pixels(picture).sum(axis=2)
    assert np.median(shown[20:40, 35:50]) < np.median(shown[20:40, 10:25]) - 100
    assert picture.scale == f"light 0, dark {colors.scale_end(np.array([3.0])):g} mm and more"


def test_signed_offsets_are_blue_inwards_and_red_outwards(renderer, bump):
    x = bump.vertices[:, 0]
    shown = pixels(renderer.signed(bump, np.sign(x), "offset"))
    red_minus_blue = shown[..., 0] - shown[..., 2]
    assert np.median(red_minus_blue[20:40, 35:50]) > 50
    assert np.median(red_minus_blue[20:40, 10:25]) < -50


def test_a_change_outwards_is_red(renderer, bump):
    moved = bump.with_vertices(bump.vertices + [0.0, 0.0, 2.0])
    shown = pixels(renderer.change(moved, bump.vertices, "change", span_mm=1.0))
    assert np.median((shown[..., 0] - shown[..., 2])[20:40, 20:40]) > 50


def test_provenance_has_its_colors(renderer, bump):
    kind = np.where(bump.vertices[:, 0] > 0, Provenance.MIRRORED, Provenance.OBSERVED)
    shown = pixels(renderer.provenance(bump, kind, "provenance"))
    blue_minus_red = shown[..., 2] - shown[..., 0]
    assert np.median(blue_minus_red[20:40, 35:50]) > 50
    assert abs(np.median(blue_minus_red[20:40, 10:25])) < 20


def test_a_mesh_casts_its_rays_once(renderer, bump, monkeypatch):
    renderer.plain(bump, "first")
    monkeypatch.setattr(MeshRenderer, "__init__", None)
    assert renderer.plain(bump, "again").jpeg == renderer.plain(bump, "and again").jpeg
