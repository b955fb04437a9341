"""OBJ as other programs write it."""

import time

import numpy as np
import pytest
from PIL import Image

from facecom.io.files import read_scan, read_scan_file

OBJ = """# a square with a texture seam
mtllib square.mtl
v 0.1 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
vt 0.5 0.5
vn 0 0 1
f 1/1/1 2/2/1 3/3/1
f 1/5/1 3/3/1 4/4/1
"""


def test_obj_vertices_keep_their_order_and_number_over_a_texture_seam(tmp_path, written):
    written("square.mtl", "newmtl a\nmap_Kd C:\\scans\\skin.png\n")
    Image.new("RGB", (3, 3), (1, 2, 3)).save(tmp_path / "skin.png")
    scan = read_scan_file(written("a.obj", OBJ))
    assert scan.mesh.vertices.tolist() == [[0.1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert scan.mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert scan.mesh.uv[0].tolist() == [0, 0]
    assert scan.corner_uv[1, 0].tolist() == [0.5, 0.5]
    assert scan.texture.shape == (3, 3, 3)
    assert scan.precision == "float64"


def test_obj_without_a_seam_has_texture_coordinates_by_vertex_alone(written):
    scan = read_scan_file(written("a.obj", OBJ.replace("1/5/1", "1/1/1")))
    assert scan.corner_uv is None
    assert scan.texture is None


@pytest.mark.parametrize(
    "faces",
    [
        "f 1 2 3\nf 1 3 4",
        "f 1//1 2//1 3//1\nf 1//1 3//1 4//1",
        "f 1/1 2/2 3/3\nf 1//1 3/3/1 4",
        "f -4 -3 -2\nf -4 -2 -1",
        "f 1/1 2/2 3/3\nf 1//1 3 4/4",
        "f 1 2 3 4",
        "f 1 2 \\\n3\nf 1 3 4",
        "f\t1 2 3\r\nf 1 3 4\r",
    ],
)
def test_obj_face_lines_of_every_spelling_mean_the_same(faces, written):
    text = OBJ[: OBJ.index("f 1/")] + faces + "\n"
    assert read_scan(written("a.obj", text)).faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_obj_negative_numbers_count_from_where_they_stand(written):
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nv 5 0 0\nv 6 0 0\nv 5 1 0\nf -3 -2 -1\n"
    assert read_scan(written("a.obj", text)).faces.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("line", ["v ", "v", "f ", "vt ", "v 1 2", "f 1 2 x"])
def test_an_obj_line_without_its_numbers_is_refused_or_no_vertex(line, written, refused):
    text = OBJ.replace("v 1 1 0\n", f"v 1 1 0\n{line}\n")
    if line == "v":  # a lone word means nothing
        assert len(read_scan(written("b.obj", text)).vertices) == 4
    else:
        refused("a.obj", text)


TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + TRIANGLE,
        TRIANGLE.replace("0\n", "0 # a tip\n").replace("f 1 2 3", "f 1 2 3 # the only face"),
        TRIANGLE.replace(" ", "\t"),
        "o a b # c\n" + TRIANGLE + "# end",
    ],
)
def test_byte_order_marks_comments_at_line_ends_and_tabs_change_nothing(text, written):
    mesh = read_scan(written("a.obj", text))
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert mesh.faces.tolist() == [[0, 1, 2]]


def test_utf_16_is_named(refused):
    assert "UTF-16" in refused("a.obj", TRIANGLE.encode("utf-16"))


@pytest.mark.parametrize("token", ["-nan(ind)", "nan(snan)", "-nan", "1.#QNAN", "-1.#IND00", "NaN"])
def test_a_number_that_is_none_in_any_spelling_is_one_vertex_that_cleaning_drops(token, written):
    mesh = read_scan(written("a.obj", TRIANGLE + f"v {token} {token} {token}\nv 5 6 7\n"))
    assert np.isnan(mesh.vertices[3]).all()
    assert mesh.vertices[4].tolist() == [5, 6, 7]


def test_a_line_that_is_no_vertex_is_named_with_its_number(refused):
    assert "'1 two 3' in line 4 as a vertex" in refused("a.obj", "# head\n\nv 0 0 0\nv 1 two 3\nv 0 1 0\n")
    assert "'1 2' in line 2 as a vertex" in refused("b.obj", "v 0 0 0\nv 1 2\n")
    assert "'1 2 x' in line 4 as a face" in refused("c.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 x\n")


@pytest.mark.parametrize("filler", [b"\n" * 300_000, b"mtllib" + b" " * 300_000 + b"x\n", b"mtllib " + b"a " * 150_000])
def test_blank_lines_and_long_names_cost_no_more_than_their_length(filler, written):
    path = written("a.obj", filler + b"\n" + TRIANGLE.encode())
    begin = time.process_time()
    assert len(read_scan(path).faces) == 1
    assert time.process_time() - begin < 2


def test_one_huge_polygon_is_refused(refused):
    corners = " ".join(str(k + 1) for k in range(10_001))
    assert "a polygon of 10,001 corners" in refused("a.obj", "v 0 0 0\n" * 10_001 + f"f {corners}\n")


def test_numbers_that_are_no_colours_are_left_out(written):
    rows = ["v 0 0 0 -1 0 0", "v 1 0 0 0 0 0", "v 0 1 0 0 0 900"]
    assert read_scan(written("a.obj", "\n".join(rows))).colors is None
    assert read_scan(written("b.obj", "v 0 0 0 255 0 51\n")).colors.tolist() == [[1.0, 0.0, 0.2]]
