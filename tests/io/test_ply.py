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
