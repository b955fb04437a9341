"""Point clouds as text: what is a point, a normal, a colour, and what is refused by its line."""

import logging

import numpy as np
import pytest

from facecom.io.files import read_scan
from facecom.io.point_tables import SUFFIXES

POINTS = np.round(np.random.default_rng(0).normal(scale=60, size=(40, 3)), 3)
COLORS = np.random.default_rng(1).integers(0, 256, (40, 3))
INTENSITY = np.random.default_rng(2).integers(0, 256, (40, 1))


def table(*blocks: np.ndarray, mark: str = " ") -> str:
    """Rows of numbers, column beside column."""
    rows = zip(*(block.tolist() for block in blocks), strict=True)
    return "".join(mark.join(repr(value) for part in row for value in part) + "\n" for row in rows)


def test_xyz_columns_after_the_point_are_normals_and_colours(written):
    mesh = read_scan(written("a.xyz", "# scan\n0 0 0 0 0 1 255 0 0\n1,2,3 0 1 0 0 0 51\n"))
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert mesh.normals.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert mesh.colors[1].tolist() == [0, 0, 0.2]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_clouds_of_any_of_their_names_are_read(suffix, written):
    mesh = read_scan(written(f"a{suffix}", table(POINTS, COLORS)))
    assert np.array_equal(mesh.vertices, POINTS)
    assert np.allclose(mesh.colors, COLORS / 255)


@pytest.mark.parametrize("mark", [" ", "\t", ";", ",", "; ", " , "])
@pytest.mark.parametrize(
    "head", ["", "X Y Z R G B", "// X,Y,Z,R,G,B", "# a scan", "made by a scanner\n\nx;y;z;r;g;b", "40"]
)
def test_separators_and_lines_before_the_points_change_nothing(mark, head, written):
    mesh = read_scan(written("a.txt", head + "\n" + table(POINTS, COLORS, mark=mark)))
    assert np.array_equal(mesh.vertices, POINTS)
    assert np.allclose(mesh.colors, COLORS / 255)


@pytest.mark.parametrize("mark", [" ", ";", "\t"])
def test_decimal_commas_are_read_where_they_can_be_nothing_else(mark, written):
    assert np.array_equal(read_scan(written("a.xyz", table(POINTS, mark=mark).replace(".", ","))).vertices, POINTS)


def test_commas_between_and_in_numbers_are_refused_by_their_line(refused):
    assert "in line 2 as a point, with commas" in refused("a.csv", "1,25,3,5,7,5\n0,330,-126,031,-69,646\n")
    assert "in line 1 as a point, with commas" in refused("b.csv", "1,000.5;2;3\n")


def test_an_intensity_before_colours_is_none_of_them(written, caplog):
    with caplog.at_level(logging.WARNING):
        mesh = read_scan(written("a.pts", table(POINTS, INTENSITY, COLORS)))
    assert np.allclose(mesh.colors, COLORS / 255)
    assert "taken as an intensity" in caplog.text


@pytest.mark.parametrize("other", [INTENSITY - 2048, INTENSITY / 7 + 0.1, INTENSITY * 16])
def test_a_number_that_can_be_no_colour_is_none_before_or_behind_them(other, written, caplog):
    for blocks in ((POINTS, other, COLORS), (POINTS, COLORS, other)):
        assert np.allclose(read_scan(written("a.pts", table(*blocks))).colors, COLORS / 255)
    assert not caplog.text


def test_opacity_behind_colours_is_none_of_them(written):
    opaque = np.full((40, 1), 255)
    assert np.allclose(read_scan(written("a.xyz", table(POINTS, COLORS, opaque))).colors, COLORS / 255)


def test_a_header_line_decides_what_columns_are(written):
    head = "red;green;blue;intensity;Z [mm];X [mm];Y [mm];Normal_X;Normal_Y;Normal_Z\n"
    normals = np.tile([0.0, 0.6, 0.8], (40, 1))
    text = head + table(COLORS, INTENSITY, POINTS[:, [2, 0, 1]], normals, mark=";")
    mesh = read_scan(written("a.csv", text))
    assert np.array_equal(mesh.vertices, POINTS)
    assert np.array_equal(mesh.normals, normals)
    assert np.allclose(mesh.colors, COLORS / 255)


def test_colours_of_sixteen_bits_are_read_where_a_header_names_them(written):
    mesh = read_scan(written("a.csv", "x,y,z,r,g,b\n" + table(POINTS, COLORS * 257, mark=",")))
    assert np.allclose(mesh.colors, COLORS / 255)
    assert read_scan(written("b.csv", table(POINTS, COLORS * 257, mark=","))).colors is None


def test_normals_before_and_behind_colours_are_found(written):
    normals = np.tile([0.0, -0.6, 0.8], (40, 1))
    for blocks in ((normals, COLORS), (COLORS, normals), (INTENSITY - 500, COLORS, normals)):
        mesh = read_scan(written("a.xyz", table(POINTS, *blocks)))
        assert np.array_equal(mesh.normals, normals)
        assert np.allclose(mesh.colors, COLORS / 255)


def test_empty_fields_are_no_numbers_and_shift_nothing(written):
    mesh = read_scan(written("a.csv", "x,y,z,r,g,b\n1,2,3,,,\n4,5,6,7,8,9\n"))
    assert mesh.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert mesh.colors is None


def test_a_row_of_another_width_is_named_by_its_line(refused):
    assert "'1 2' in line 4 as a point, which is not a row of 3 numbers" in refused("a.xyz", "# a\n\n0 0 0\n1 2\n")


def test_fewer_points_than_the_first_line_declares_are_cut_short(refused):
    assert "declares 50 points and holds 40" in refused("a.pts", "50\n" + table(POINTS))
