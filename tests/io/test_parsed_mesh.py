"""What readers of all formats share: polygons, texture coordinates of corners, colours, names of files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.io import parsed_mesh
from facecom.io.obj import read_obj
from facecom.io.parsed_mesh import (
    FileFormatError,
    color_bytes,
    cut_short,
    fits_float32,
    sibling_file,
    triangulate,
    unit_colors,
    vertex_uv_from_corners,
)
from facecom.io.ply import read_ply
from facecom.io.text_formats import read_off


@given(st.lists(st.integers(0, 7), max_size=12))
def test_polygons_become_fans_of_a_slow_loop(sizes):
    flat = np.random.default_rng(sum(sizes)).integers(0, 50, sum(sizes))
    expected, at = [], 0
    for size in sizes:
        expected += [[at, at + k, at + k + 1] for k in range(1, size - 1)]
        at += size
    faces, corner = triangulate(np.array(sizes, np.int64), flat)
    assert corner.tolist() == expected
    assert faces.tolist() == flat[np.array(expected, np.int64).reshape(-1, 3)].tolist()


@given(st.integers(0, 10_000))
def test_a_vertex_has_the_coordinates_of_its_first_corner(seed):
    rng = np.random.default_rng(seed)
    faces = rng.integers(0, 6, (5, 3))
    corner_uv = rng.integers(0, 2, (5, 3, 2)).astype(float)
    first: dict[int, list[float]] = {}
    agree = True
    for vertex, uv in zip(faces.ravel().tolist(), corner_uv.reshape(-1, 2).tolist(), strict=True):
        agree &= first.setdefault(vertex, uv) == uv
    uv, consistent = vertex_uv_from_corners(corner_uv, faces, 7)
    assert consistent == agree
    for vertex in range(7):
        assert uv[vertex].tolist() == first[vertex] if vertex in first else np.isnan(uv[vertex]).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_integers_of_any_width_are_shares_of_their_largest(kind):
    top = np.iinfo(kind).max
    assert unit_colors(np.array([[0, top, top // 2]], kind)).tolist() == [[0.0, 1.0, (top // 2) / top]]


def test_floats_are_shares_unless_one_is_larger_than_one():
    assert unit_colors(np.array([[0.0, 0.5, 1.0]])).tolist() == [[0.0, 0.5, 1.0]]
    assert unit_colors(np.array([[0.0, 51.0, 255.0]])).tolist() == [[0.0, 0.2, 1.0]]
    assert np.isnan(unit_colors(np.array([[np.nan, 51.0, 255.0]]))[0, 0])


def test_bytes_come_back_as_bytes():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(color_bytes(unit_colors(levels)), levels)
    assert color_bytes(np.array([-1.0, 2.0, np.nan, np.inf])).tolist() == [0, 255, 0, 255]


def test_a_file_is_looked_for_in_its_folder_alone(tmp_path):
    (tmp_path / "scan").mkdir()
    for place in (tmp_path / "secret.png", tmp_path / "scan" / "skin.png"):
        place.write_bytes(b"x")
    folder = tmp_path / "scan"
    for name in ("skin.png", "C:\\textures\\skin.png", "../scan/skin.png", "/etc/skin.png"):
        assert sibling_file(folder, name) == folder / "skin.png"
    assert sibling_file(folder, "../secret.png") is None
    assert sibling_file(folder, "none.png") is None


def test_what_is_cut_short_is_said_with_figures():
    assert "declares 1,200 faces and holds 7" in str(cut_short("faces", 1200, 7))


@given(st.floats(width=32), st.floats())
def test_float32_numbers_fit_and_others_do_not(short, long):
    assert fits_float32(np.array([short]))
    with np.errstate(over="ignore"):
        back = float(np.float64(np.float32(long)))
    assert fits_float32(np.array([long])) == (back == long or np.isnan(long))


def test_more_polygons_of_different_sizes_than_are_read_one_by_one_are_refused(monkeypatch):
    polygons = [[0, 1, 2], [0, 1, 2, 3]] * 3
    points = "".join(f"v {k} 0 {k * k}\n" for k in range(4))
    obj = (points + "".join(f"f {' '.join(str(k + 1) for k in polygon)}\n" for polygon in polygons)).encode()
    rows = "".join(f"{len(polygon)} {' '.join(map(str, polygon))}\n" for polygon in polygons)
    off = ("OFF\n4 6 0\n" + points.replace("v ", "") + rows).encode()
    head = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    head += "element face 6\nproperty list uchar int vertex_indices\nend_header\n"
    text = (head + points.replace("v ", "") + rows).encode()
    binary = head.replace("ascii", "binary_little_endian").encode() + bytes(48)
    binary += b"".join(bytes([len(polygon)]) + np.array(polygon, "<i4").tobytes() for polygon in polygons)
    readers = [lambda: read_obj(obj, Path()), lambda: read_off(off), lambda: read_ply(text), lambda: read_ply(binary)]
    assert [len(read().faces) for read in readers] == [9] * 4
    monkeypatch.setattr(parsed_mesh, "MAX_MIXED_POLYGONS", 5)
    for read in readers:
        with pytest.raises(FileFormatError, match="6 polygons of different sizes, more than 5"):
            read()
