import sys
from base64 import b64decode

import numpy as np
import pytest

from facecom.drawing import colors, notebook
from facecom.drawing.notebook import PICTURE_SIZE, html_summary, picture, show_mesh
from facecom.geometry.mesh import Mesh
from facecom.provenance import Provenance


@pytest.fixture
def tile() -> Mesh:
    return Mesh([[-40, -40, 0], [40, -40, 0], [40, 40, 0], [-40, 40, 0]], [[0, 1, 2], [0, 2, 3]])


@pytest.fixture
def nothing_installed(monkeypatch):
    for package in ("k3d", "pyvista"):
        monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.parametrize("kind", list(Provenance))
def test_a_picture_has_the_colour_of_the_kind(tile, kind):
    """Shaded, so that the channels are those of the palette up to one factor."""
    drawn = picture(tile, np.full(4, kind)).astype(float)
    assert drawn.shape == (PICTURE_SIZE, 2 * PICTURE_SIZE, 3)
    middle = drawn[PICTURE_SIZE // 2, PICTURE_SIZE // 2]
    expected = np.array(colors.PROVENANCE[kind])
    assert np.allclose(middle / middle.max(), expected / expected.max(), atol=0.03)


def test_without_a_viewer_there_is_a_picture(tile, nothing_installed):
    shown = show_mesh(tile, tile)
    assert shown.size == (2 * PICTURE_SIZE, PICTURE_SIZE)


def test_k3d_is_shown_where_it_is_installed(tile):
    pytest.importorskip("k3d")
    plot = show_mesh(tile, tile, np.array([0, 1, 2, 4]))
    (mesh,) = plot.objects
    assert mesh.attribute.tolist() == [0, 1, 2, 4] and list(mesh.color_range) == [0.0, 4.0]
    table = np.array(mesh.color_map).reshape(-1, 4)
    assert np.allclose(table[:, 1:], [colors.PROVENANCE[k] for k in Provenance])


def test_pyvista_comes_after_k3d(tile, monkeypatch):
    asked = []

    class Plotter:
        def add_mesh(self, mesh, **options):
            asked.append((mesh, options))

    monkeypatch.setitem(sys.modules, "k3d", None)
    monkeypatch.setitem(sys.modules, "pyvista", type(sys)("pyvista"))
    sys.modules["pyvista"].Plotter = Plotter
    monkeypatch.setattr(notebook, "to_pyvista", lambda mesh: mesh)
    assert isinstance(show_mesh(tile, tile, np.full(4, Provenance.MODEL)), Plotter)
    assert asked[0][0] is tile and np.allclose(asked[0][1]["scalars"], colors.MODEL)


def test_html_needs_nothing_from_outside_and_escapes(tile):
    text = html_summary(picture(tile, np.zeros(4, int)), {"<name>": "a & b"})
    assert "http" not in text and "<name>" not in text and "a &amp; b" in text
    assert b64decode(text.split("base64,")[1].split('"')[0])[1:4] == b"PNG"
