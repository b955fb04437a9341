"""Which image lies on which face of an OBJ: options, names with blanks, several materials, tiles."""

import logging

import numpy as np
import pytest
from PIL import Image

from facecom.io.conversion import as_mesh
from facecom.io.files import read_scan_file

SQUARES = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 5 0 0\nv 6 0 0\nv 6 1 0\nv 5 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
FIRST, SECOND = "f 1/1 2/2 3/3 4/4\n", "f 5/1 6/2 7/3 8/4\n"
RED, BLUE = [[1.0, 0.0, 0.0]] * 4, [[0.0, 0.0, 1.0]] * 4
GREY = [[0.5, 0.5, 0.5]] * 4


@pytest.fixture(autouse=True)
def pictures(tmp_path) -> None:
    for name, color in (
        ("red", (255, 0, 0)),
        ("my blue", (0, 0, 255)),
        ("s.1001", (255, 0, 0)),
        ("s.1002", (0, 0, 255)),
    ):
        Image.new("RGB", (4, 4), color).save(tmp_path / f"{name}.png")


@pytest.fixture
def colors(written):
    """The colours of two squares under a material file, `colors(material, faces)`."""

    def read(material: str, text: str):
        written("my skin.mtl", material)
        return as_mesh(written("a.obj", "mtllib my skin.mtl\n" + text)).colors

    return read


@pytest.mark.parametrize(
    "words",
    [
        "red.png",
        "-bm 0.1 -clamp on red.png",
        "-s 1 1 1 -o 0 0 0 red.png",
        "-s 1 1 -mm 0 1 red.png",
        "-blendu off -blendv off -cc off -texres 512 -imfchan m -boost 2 -t 0 red.png",
        "-o 0 red.png # the skin",
        '"red.png"',
        "C:\\scans\\red.png",
    ],
)
def test_options_before_the_name_of_an_image_are_no_part_of_it(words, colors):
    words = words.removesuffix(" # the skin")
    assert colors(f"newmtl a\nmap_Kd {words}\n", SQUARES + FIRST + SECOND).tolist() == RED + RED


@pytest.mark.parametrize("words", ["my blue.png", "-bm 0.1 my blue.png", "  my blue.png  "])
def test_names_with_blanks_are_read(words, colors):
    assert colors(f"newmtl a\nmap_Kd {words}\n", SQUARES + FIRST + SECOND).tolist() == BLUE + BLUE


@pytest.mark.parametrize("option", ["-s 2 2 1", "-o 0.5", "-t 0.1 0.1 0"])
def test_an_image_that_is_moved_gives_no_colours_and_says_so(option, colors, caplog):
    assert colors(f"newmtl a\nmap_Kd {option} red.png\n", SQUARES + FIRST + SECOND) is None
    assert "moves or scales its texture" in caplog.text


MATERIALS = "newmtl a\nKd 1 1 1\nmap_Kd red.png\nnewmtl b\nmap_Kd my blue.png\nnewmtl bare\nKd 1 0 0\n"


def test_each_material_gives_its_own_image_to_its_own_faces(colors, caplog):
    text = f"{SQUARES}usemtl a\n{FIRST}usemtl b\n{SECOND}"
    assert colors(MATERIALS, text).tolist() == RED + BLUE
    assert colors(MATERIALS, text.replace("usemtl b", "usemtl bare")).tolist() == RED + GREY
    assert colors(MATERIALS, text.replace("usemtl a", "usemtl b")).tolist() == BLUE + BLUE
    assert not caplog.text


def test_colours_are_none_and_a_warning_where_no_image_is_there(colors, caplog):
    text = f"{SQUARES}usemtl a\n{FIRST}usemtl b\n{SECOND}"
    with caplog.at_level(logging.WARNING):
        assert colors("newmtl a\nmap_Kd gone.png\nnewmtl b\nmap_Kd away.png\n", text) is None
    assert "gone.png" in caplog.text and "none of which is there" in caplog.text
    caplog.clear()
    assert colors("newmtl a\nmap_Kd gone.png\n", SQUARES + FIRST) is None
    assert "gone.png, which is not beside it" in caplog.text


@pytest.mark.parametrize("name", ["s.<UDIM>.png", "s.1001.png"])
def test_tiles_lie_side_by_side(name, colors):
    text = SQUARES + "vt 1 0\nvt 2 0\nvt 2 1\nvt 1 1\n" + FIRST + "f 5/5 6/6 7/7 8/8\n"
    assert colors(f"newmtl a\nmap_Kd {name}\n", text).tolist() == RED + BLUE


def test_the_material_library_of_each_of_several_files_is_read(written):
    written("one.mtl", "newmtl a\nmap_Kd red.png\n")
    written("two.mtl", "newmtl b\nmap_Kd my blue.png\n")
    text = f"mtllib one.mtl two.mtl\n{SQUARES}usemtl a\n{FIRST}usemtl b\n{SECOND}"
    assert as_mesh(written("a.obj", text)).colors.tolist() == RED + BLUE


@pytest.mark.parametrize("material", [b"\xff\xfen\0e\0w\0", b"\0\0\0", b"newmtl a\n" * 500_000])
def test_a_broken_material_file_leaves_the_scan_usable(material, written):
    written("a.mtl", material)
    scan = read_scan_file(written("a.obj", f"mtllib a.mtl\n{SQUARES}usemtl a\n{FIRST}"))
    assert scan.texture is None and np.isfinite(scan.mesh.vertices).all()
    assert "cannot be read" in " ".join(scan.warnings)
