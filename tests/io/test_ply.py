"""PLY as this and other programs write it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from facecom.geometry.mesh import Mesh
from facecom.io.files import read_scan_file
from facecom.io.ply import read_ply
from facecom.io.writers import ply_bytes


@given(arrays(np.float32, (4, 3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_float32_positions_are_stored_in_float32(vertices):
    data = ply_bytes(Mesh(vertices, [[0, 1, 2]]))
    assert b"property float x" in data
    assert read_ply(data).vertices.tobytes() == vertices.tobytes()


def test_ply_in_text_and_big_endian_holds_the_same_as_little_endian(ball):
    little = read_ply(ply_bytes(Mesh(ball.vertices, ball.faces)))
    head = f"element vertex {len(ball.vertices)}\nproperty float x\nproperty float y\nproperty float z\n"
    head += f"element face {len(ball.faces)}\nproperty list uchar int vertex_index\nend_header\n"
    rows = [" ".join(map(repr, row)) for row in ball.vertices.tolist()] + [f"3 {a} {b} {c}" for a, b, c in ball.faces]
    text = read_ply(("ply\nformat ascii 1.0\n" + head + "\n".join(rows)).encode())
    table = np.empty(len(ball.faces), [("n", "u1"), ("v", ">i4", 3)])
    table["n"], table["v"] = 3, ball.faces
    big = (
        f"ply\nformat binary_big_endian 1.0\n{head}".encode() + ball.vertices.astype(">f4").tobytes() + table.tobytes()
    )
    for other in (text, read_ply(big)):
        assert np.array_equal(other.vertices, little.vertices)
        assert np.array_equal(other.faces, little.faces)


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
def test_polygons_of_any_size_become_triangles_in_order(kind):
    polygons = [[0, 1, 2], [0, 1, 2, 3], [4, 3, 2, 1, 0]]
    head = f"ply\nformat {kind} 1.0\ncomment made\nelement vertex 5\n" + "".join(
        f"property double {n}\n" for n in "xyz"
    )
    head += "element face 3\nproperty list uchar uint vertex_indices\nproperty uchar flag\nend_header\n"
    points = np.arange(15.0).reshape(5, 3)
    if kind == "ascii":
        body = "".join(" ".join(map(str, row)) + "\n" for row in points)
        body = (body + "".join(f"{len(p)} {' '.join(map(str, p))} 7\n" for p in polygons)).encode()
    else:
        faces = [bytes([len(p)]) + np.array(p, "<u4").tobytes() + b"\7" for p in polygons]
        body = points.tobytes() + b"".join(faces)
    stored = read_ply(head.encode() + body)
    assert np.array_equal(stored.vertices, points)
    assert stored.faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3], [4, 3, 2], [4, 2, 1], [4, 1, 0]]


def test_ply_texture_coordinates_by_corner_are_kept(tmp_path, written):
    Image.new("RGB", (4, 2), (10, 20, 30)).save(tmp_path / "skin.png")
    head = "ply\nformat ascii 1.0\ncomment TextureFile skin.png\nelement vertex 4\n"
    head += "".join(f"property float {n}\n" for n in "xyz") + "element face 2\n"
    head += "property list uchar int vertex_indices\nproperty list uchar float texcoord\nend_header\n"
    body = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2 6 0 0 1 0 1 1\n3 0 2 3 6 0.5 0.5 1 1 0 1\n"
    scan = read_scan_file(written("a.ply", head + body))
    assert scan.texture.shape == (2, 4, 3) and scan.texture[0, 0].tolist() == [10, 20, 30]
    assert scan.texture_path == tmp_path / "skin.png"
    assert scan.corner_uv[1].tolist() == [[0.5, 0.5], [1, 1], [0, 1]]
    assert scan.mesh.uv.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]


def test_a_truncated_ply_names_what_it_declares_and_holds(ball, refused):
    data = ply_bytes(Mesh(ball.vertices, ball.faces))
    assert "declares 320 faces and holds 319" in refused("a.ply", data[:-1])
    assert "declares 162 vertices" in refused("b.ply", data[: data.index(b"end_header") + 100])


POINT = "property float x\nproperty float y\nproperty float z\n"


def test_one_huge_polygon_is_refused_before_it_is_split(refused):
    count = 200_000
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex 3\n{POINT}"
    head += "element face 1\nproperty list uint int vertex_indices\nend_header\n"
    data = head.encode() + bytes(36) + count.to_bytes(4, "little") + bytes(4 * count)
    assert "a polygon of 200,000 corners" in refused("a.ply", data)


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
@pytest.mark.parametrize("count", [10**9, 10**30, -1])
def test_counts_that_the_file_cannot_hold_are_refused(kind, count, refused):
    head = f"ply\nformat {kind} 1.0\nelement vertex 3\n{POINT}element face {count}\n"
    refused("a.ply", f"{head}property list uchar int vertex_indices\nend_header\n".encode() + bytes(36))
    refused("b.ply", f"ply\nformat {kind} 1.0\nelement nothing {count}\nelement vertex 3\n{POINT}end_header\n")


@pytest.mark.parametrize("token", ["-nan(ind)", "1.#QNAN", "nan"])
def test_a_number_that_is_none_is_one_vertex_that_cleaning_drops(token, written):
    head = f"ply\nformat ascii 1.0\nelement vertex 2\n{POINT}end_header\n"
    vertices = read_scan_file(written("a.ply", f"{head}{token} {token} 0\n1 2 3\n")).mesh.vertices
    assert np.isnan(vertices[0, :2]).all() and vertices[1].tolist() == [1, 2, 3]


def two_textures(numbered: bool) -> str:
    """Two triangles, each under a picture of its own."""
    head = "ply\nformat ascii 1.0\ncomment TextureFile red.png\ncomment TextureFile blue.png\nelement vertex 6\n"
    head += POINT + "element face 2\nproperty list uchar int vertex_indices\nproperty list uchar float texcoord\n"
    head += "property int texnumber\n" if numbered else ""
    body = "0 0 0\n1 0 0\n0 1 0\n5 0 0\n6 0 0\n5 1 0\n"
    faces = [f"3 {3 * k} {3 * k + 1} {3 * k + 2} 6 0 0 1 0 0 1" + (f" {k}" if numbered else "") for k in range(2)]
    return head + "end_header\n" + body + "\n".join(faces) + "\n"


def test_several_textures_lie_where_the_file_says_or_nowhere(tmp_path, written):
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "red.png")
    Image.new("RGB", (4, 4), (0, 0, 255)).save(tmp_path / "blue.png")
    found = read_scan_file(written("a.ply", two_textures(True)))
    assert found.mesh.colors.tolist() == [[1, 0, 0]] * 3 + [[0, 0, 1]] * 3
    assert found.warnings == ()
    found = read_scan_file(written("b.ply", two_textures(False)))
    assert found.mesh.colors is None
    assert found.warnings == ("b.ply names several textures but not where each lies, so it has no colours",)


def test_a_byte_order_mark_changes_nothing(written):
    text = f"\ufeffply\nformat ascii 1.0\nelement vertex 1\n{POINT}end_header\n1 2 3\n"
    assert read_scan_file(written("a.ply", text)).mesh.vertices.tolist() == [[1, 2, 3]]
