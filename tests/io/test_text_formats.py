"""OBJ, OFF, STL and XYZ as other programs write them."""

import numpy as np
import pytest
from PIL import Image

from facecom.io.files import read_scan, read_scan_file, write_mesh

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


def test_text_and_binary_stl_hold_the_same(tmp_path, ball, written):
    rows = "".join(
        "facet normal 0 0 0\nouter loop\n"
        + "".join(f"vertex {x} {y} {z}\n" for x, y, z in corners)
        + "endloop\nendfacet\n"
        for corners in ball.vertices[ball.faces].tolist()
    )
    text = read_scan(written("text.stl", f"solid face\n{rows}endsolid face\n"))
    write_mesh(tmp_path / "binary.stl", ball)
    binary = read_scan(tmp_path / "binary.stl")
    assert np.array_equal(text.vertices, binary.vertices)
    assert np.array_equal(text.faces, binary.faces)


def test_off_with_comments_colours_and_quads_is_read(written):
    text = "COFF # face\n\n4 1 0\n0 0 0 255 0 0\n1 0 0 0 255 0\n1 1 0 0 0 255\n0 1 0 0 0 0\n4 0 1 2 3 9 9 9\n"
    mesh = read_scan(written("a.off", text))
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert mesh.colors[1].tolist() == [0, 1, 0]


def test_xyz_columns_after_the_point_are_normals_and_colours(written):
    mesh = read_scan(written("a.xyz", "# scan\n0 0 0 0 0 1 255 0 0\n1,2,3 0 1 0 0 0 51\n"))
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert mesh.normals.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert mesh.colors[1].tolist() == [0, 0, 0.2]


@pytest.mark.parametrize("line", ["v ", "v", "f ", "vt ", "v 1 2", "f 1 2 x"])
def test_an_obj_line_without_its_numbers_is_refused_or_no_vertex(line, written, refused):
    text = OBJ.replace("v 1 1 0\n", f"v 1 1 0\n{line}\n")
    if line == "v":  # a lone word means nothing
        assert len(read_scan(written("b.obj", text)).vertices) == 4
    else:
        refused("a.obj", text)
