import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.files import READABLE, WRITABLE, read_scan, read_scan_file, write_mesh
from facecom.io.ply import read_ply
from facecom.io.writers import ply_bytes

EXACT = (".ply", ".obj", ".off")


@pytest.fixture
def ball(icosphere) -> Mesh:
    """A sphere of 162 vertices with float32 positions, colours and texture coordinates."""
    mesh = icosphere(2, radius=80.0)
    vertices = mesh.vertices.astype(np.float32)
    levels = np.random.default_rng(0).integers(0, 256, vertices.shape) / 255
    return Mesh(vertices, mesh.faces, uv=np.round(mesh.vertices[:, :2] / 200 + 0.5, 3), colors=levels)


def written(tmp_path: Path, name: str, data: bytes | str) -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


# ---- what comes back is what was written


@pytest.mark.parametrize("extension", WRITABLE)
def test_a_mesh_comes_back_in_its_order_from_every_format(tmp_path, ball, extension):
    path = tmp_path / f"ball{extension}"
    write_mesh(path, ball)
    mesh = read_scan(path)
    if extension == ".stl":  # it stores no vertices, only corners
        assert np.array_equal(mesh.vertices[mesh.faces], ball.vertices[ball.faces])
        assert len(mesh.vertices) == len(ball.vertices)
    else:
        assert np.array_equal(mesh.vertices, ball.vertices)
        assert np.array_equal(mesh.faces, ball.faces)


@pytest.mark.parametrize("extension", [".ply", ".obj", ".glb"])
def test_colours_come_back(tmp_path, ball, extension):
    write_mesh(tmp_path / f"ball{extension}", ball)
    assert np.allclose(read_scan(tmp_path / f"ball{extension}").colors, ball.colors, atol=1e-6)


@pytest.mark.parametrize("extension", [".ply", ".obj", ".glb"])
def test_texture_coordinates_come_back(tmp_path, ball, extension):
    plain = Mesh(ball.vertices, ball.faces, uv=ball.uv)
    write_mesh(tmp_path / f"ball{extension}", plain)
    assert np.allclose(read_scan(tmp_path / f"ball{extension}").uv, plain.uv, atol=1e-6)


@given(arrays(np.float64, (5, 3), elements=st.floats(allow_nan=False, allow_infinity=False)), st.sampled_from(EXACT))
def test_every_bit_of_float64_positions_survives(tmp_path_factory, vertices, extension):
    path = tmp_path_factory.mktemp("bits") / f"m{extension}"
    write_mesh(path, Mesh(vertices, [[0, 1, 2], [4, 3, 2]]))
    assert read_scan(path).vertices.tobytes() == vertices.tobytes()


@given(arrays(np.float32, (4, 3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_float32_positions_are_stored_in_float32(vertices):
    data = ply_bytes(Mesh(vertices, [[0, 1, 2]]))
    assert b"property float x" in data
    assert read_ply(data).vertices.tobytes() == vertices.tobytes()


def test_positions_that_float32_cannot_hold_are_stored_in_float64_unless_told_otherwise(tmp_path, ball):
    fine = Mesh(ball.vertices + 1e-9, ball.faces)
    write_mesh(tmp_path / "exact.ply", fine)
    write_mesh(tmp_path / "short.ply", fine, exact=False)
    assert read_scan_file(tmp_path / "exact.ply").precision == "float64"
    assert read_scan_file(tmp_path / "short.ply").precision == "float32"
    assert np.array_equal(read_scan(tmp_path / "short.ply").vertices, fine.vertices.astype(np.float32))


def test_further_numbers_of_each_vertex_come_back_in_their_type(tmp_path, ball):
    provenance = (np.arange(len(ball.vertices)) % 3).astype(np.uint8)
    sigma = np.linspace(0, 2, len(ball.vertices), dtype=np.float32)
    write_mesh(tmp_path / "ball.ply", ball, attributes={"provenance": provenance, "sigma_mm": sigma})
    found = read_scan_file(tmp_path / "ball.ply").attributes
    assert set(found) == {"provenance", "sigma_mm"}
    assert found["provenance"].dtype == np.uint8 and np.array_equal(found["provenance"], provenance)
    assert found["sigma_mm"].dtype == np.float32 and np.array_equal(found["sigma_mm"], sigma)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"sigma": np.zeros(3)}, "expected"),
        ({"x": np.zeros(162)}, "cannot name"),
        ({"two words": np.zeros(162)}, "cannot name"),
        ({"big": np.zeros(162, np.int64)}, "int64"),
    ],
)
def test_attributes_that_ply_cannot_hold_are_refused(tmp_path, ball, attributes, message):
    with pytest.raises(ValueError, match=message):
        write_mesh(tmp_path / "ball.ply", ball, attributes=attributes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("extension", WRITABLE)
def test_the_same_mesh_gives_the_same_bytes(tmp_path, ball, extension):
    for name in ("a", "b"):
        write_mesh(tmp_path / f"{name}{extension}", ball)
    assert (tmp_path / f"a{extension}").read_bytes() == (tmp_path / f"b{extension}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("extension", [".ply", ".glb"])
def test_a_point_cloud_has_no_faces(tmp_path, ball, extension):
    write_mesh(tmp_path / f"cloud{extension}", Mesh(ball.vertices, []))
    mesh = read_scan(tmp_path / f"cloud{extension}")
    assert len(mesh.faces) == 0
    assert np.array_equal(mesh.vertices, ball.vertices)


# ---- what other programs write


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


def test_ply_texture_coordinates_by_corner_are_kept(tmp_path):
    Image.new("RGB", (4, 2), (10, 20, 30)).save(tmp_path / "skin.png")
    head = "ply\nformat ascii 1.0\ncomment TextureFile skin.png\nelement vertex 4\n"
    head += "".join(f"property float {n}\n" for n in "xyz") + "element face 2\n"
    head += "property list uchar int vertex_indices\nproperty list uchar float texcoord\nend_header\n"
    body = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2 6 0 0 1 0 1 1\n3 0 2 3 6 0.5 0.5 1 1 0 1\n"
    scan = read_scan_file(written(tmp_path, "a.ply", head + body))
    assert scan.texture.shape == (2, 4, 3) and scan.texture[0, 0].tolist() == [10, 20, 30]
    assert scan.texture_path == tmp_path / "skin.png"
    assert scan.corner_uv[1].tolist() == [[0.5, 0.5], [1, 1], [0, 1]]
    assert scan.mesh.uv.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]


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


def test_obj_vertices_keep_their_order_and_number_over_a_texture_seam(tmp_path):
    written(tmp_path, "square.mtl", "newmtl a\nmap_Kd C:\\scans\\skin.png\n")
    Image.new("RGB", (3, 3), (1, 2, 3)).save(tmp_path / "skin.png")
    scan = read_scan_file(written(tmp_path, "a.obj", OBJ))
    assert scan.mesh.vertices.tolist() == [[0.1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert scan.mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert scan.mesh.uv[0].tolist() == [0, 0]
    assert scan.corner_uv[1, 0].tolist() == [0.5, 0.5]
    assert scan.texture.shape == (3, 3, 3)
    assert scan.precision == "float64"


def test_obj_without_a_seam_has_texture_coordinates_by_vertex_alone(tmp_path):
    scan = read_scan_file(written(tmp_path, "a.obj", OBJ.replace("1/5/1", "1/1/1")))
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
def test_obj_face_lines_of_every_spelling_mean_the_same(tmp_path, faces):
    text = OBJ[: OBJ.index("f 1/")] + faces + "\n"
    assert read_scan(written(tmp_path, "a.obj", text)).faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_obj_negative_numbers_count_from_where_they_stand(tmp_path):
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nv 5 0 0\nv 6 0 0\nv 5 1 0\nf -3 -2 -1\n"
    assert read_scan(written(tmp_path, "a.obj", text)).faces.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_text_and_binary_stl_hold_the_same(tmp_path, ball):
    rows = "".join(
        "facet normal 0 0 0\nouter loop\n"
        + "".join(f"vertex {x} {y} {z}\n" for x, y, z in corners)
        + "endloop\nendfacet\n"
        for corners in ball.vertices[ball.faces].tolist()
    )
    text = read_scan(written(tmp_path, "text.stl", f"solid face\n{rows}endsolid face\n"))
    write_mesh(tmp_path / "binary.stl", ball)
    binary = read_scan(tmp_path / "binary.stl")
    assert np.array_equal(text.vertices, binary.vertices)
    assert np.array_equal(text.faces, binary.faces)


def test_off_with_comments_colours_and_quads_is_read(tmp_path):
    text = "COFF # face\n\n4 1 0\n0 0 0 255 0 0\n1 0 0 0 255 0\n1 1 0 0 0 255\n0 1 0 0 0 0\n4 0 1 2 3 9 9 9\n"
    mesh = read_scan(written(tmp_path, "a.off", text))
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert mesh.colors[1].tolist() == [0, 1, 0]


def test_xyz_columns_after_the_point_are_normals_and_colours(tmp_path):
    mesh = read_scan(written(tmp_path, "a.xyz", "# scan\n0 0 0 0 0 1 255 0 0\n1,2,3 0 1 0 0 0 51\n"))
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert mesh.normals.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert mesh.colors[1].tolist() == [0, 0, 0.2]


def pcd(points: np.ndarray, encoding: str) -> bytes:
    head = f"VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH {len(points)}\nHEIGHT 1\n"
    head += f"VIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA {encoding}\n"
    if encoding == "ascii":
        return (head + "".join(f"{x!r} {y!r} {z!r}\n" for x, y, z in points.tolist())).encode()
    return head.encode() + points.astype("<f4").tobytes()


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_pcd_points_come_back(tmp_path, ball, encoding):
    mesh = read_scan(written(tmp_path, "a.pcd", pcd(ball.vertices, encoding)))
    assert np.array_equal(mesh.vertices.astype(np.float32), ball.vertices.astype(np.float32))


def test_a_scene_of_several_meshes_is_one_mesh_with_transforms_applied(tmp_path, ball):
    import trimesh

    part = trimesh.Trimesh(ball.vertices, ball.faces, process=False)
    scene = trimesh.Scene()
    scene.add_geometry(part, node_name="left")
    turned = trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1], [10, 0, 0])
    scene.add_geometry(part, node_name="right", transform=turned)
    mesh = read_scan(written(tmp_path, "two.glb", scene.export(file_type="glb")))
    expected = np.concatenate([ball.vertices, ball.vertices @ turned[:3, :3].T + turned[:3, 3]])
    assert len(mesh.faces) == 2 * len(ball.faces)
    assert np.allclose(np.sort(mesh.vertices, axis=0), np.sort(expected, axis=0), atol=1e-4)
    assert np.linalg.norm(np.cross(*np.moveaxis(np.diff(mesh.vertices[mesh.faces], axis=1), 1, 0)), axis=1).min() > 0


def test_a_glb_with_an_image_keeps_it(tmp_path, ball):
    import trimesh

    image = Image.new("RGB", (8, 4), (50, 100, 150))
    solid = trimesh.Trimesh(ball.vertices, ball.faces, process=False)
    solid.visual = trimesh.visual.TextureVisuals(uv=ball.uv, image=image)
    data = io.BytesIO(trimesh.Scene(solid).export(file_type="glb")).getvalue()
    scan = read_scan_file(written(tmp_path, "a.glb", data))
    assert scan.texture.shape == (4, 8, 3)
    assert scan.mesh.uv.shape == (len(scan.mesh.vertices), 2)


# ---- bad input: one sentence each


def bad(tmp_path: Path, name: str, data: bytes | str) -> str:
    path = written(tmp_path, name, data)
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    return sentence


def test_a_path_that_is_not_there_or_a_folder_or_of_an_unknown_kind_says_so(tmp_path):
    with pytest.raises(ScanError, match=r"missing.ply does not exist"):
        read_scan(tmp_path / "missing.ply")
    with pytest.raises(ScanError, match="is a folder"):
        read_scan(tmp_path)
    assert all(extension in bad(tmp_path, "face.docx", "x") for extension in READABLE)


@pytest.mark.parametrize("extension", READABLE)
def test_an_empty_file_says_so(tmp_path, extension):
    assert "is empty" in bad(tmp_path, f"a{extension}", b"")
    assert "is empty" in bad(tmp_path, f"b{extension}", b"\n \n")


@pytest.mark.parametrize("extension", READABLE)
def test_text_that_is_not_a_mesh_says_so(tmp_path, extension):
    bad(tmp_path, f"a{extension}", "Dear all,\nplease find the scan attached.\n")


@pytest.mark.parametrize("extension", READABLE)
def test_bytes_that_are_not_a_mesh_say_so(tmp_path, extension):
    bad(tmp_path, f"a{extension}", np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes())


@pytest.mark.parametrize(
    ("extension", "share"),
    # OBJ declares no counts: one that ends between two face lines is whole.
    [(e, s) for e in WRITABLE for s in (0.99, 0.6, 0.1) if (e, s) != (".obj", 0.99)],
)
def test_a_file_that_is_cut_short_is_refused_and_never_half_read(tmp_path, ball, extension, share):
    write_mesh(tmp_path / f"whole{extension}", Mesh(ball.vertices, ball.faces))
    data = (tmp_path / f"whole{extension}").read_bytes()
    bad(tmp_path, f"a{extension}", data[: int(share * len(data))])


def test_truncated_stl_and_glb_name_what_they_declare(tmp_path, ball):
    for extension, what in ((".stl", "declares 320 triangles and holds 319"), (".glb", "bytes and holds")):
        write_mesh(tmp_path / f"whole{extension}", ball)
        assert what in bad(tmp_path, f"a{extension}", (tmp_path / f"whole{extension}").read_bytes()[:-1])


def test_a_truncated_ply_names_what_it_declares_and_holds(tmp_path, ball):
    data = ply_bytes(Mesh(ball.vertices, ball.faces))
    assert "declares 320 faces and holds 319" in bad(tmp_path, "a.ply", data[:-1])
    assert "declares 162 vertices" in bad(tmp_path, "b.ply", data[: data.index(b"end_header") + 100])


@pytest.mark.parametrize("line", ["v ", "v", "f ", "vt ", "v 1 2", "f 1 2 x"])
def test_an_obj_line_without_its_numbers_is_refused_or_no_vertex(tmp_path, line):
    text = OBJ.replace("v 1 1 0\n", f"v 1 1 0\n{line}\n")
    if line == "v":  # a lone word means nothing
        assert len(read_scan(written(tmp_path, "b.obj", text)).vertices) == 4
    else:
        bad(tmp_path, "a.obj", text)


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_a_truncated_pcd_is_refused(tmp_path, ball, encoding):
    data = pcd(ball.vertices, encoding)
    assert "cut short" in bad(tmp_path, "a.pcd", data[: len(data) // 2])


def test_a_pcd_that_open3d_reads_in_part_is_refused(tmp_path, ball, monkeypatch):
    import open3d as o3d

    some = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(ball.vertices[:100].copy()))
    monkeypatch.setattr(o3d.io, "read_point_cloud", lambda *_, **__: some)
    assert "declares 162 points and holds 100" in bad(tmp_path, "a.pcd", pcd(ball.vertices, "binary"))


@pytest.mark.parametrize("extension", [".ply", ".obj", ".off"])
def test_faces_that_name_vertices_that_are_not_there_are_refused(tmp_path, extension):
    write_mesh(tmp_path / f"good{extension}", Mesh(np.eye(3), [[0, 1, 2]]))
    data = (tmp_path / f"good{extension}").read_bytes()
    wrong = {".ply": (b"\2\0\0\0", b"\3\0\0\0"), ".obj": (b"f 1 2 3", b"f 1 2 4"), ".off": (b"3 0 1 2", b"3 0 1 3")}
    before, after = wrong[extension]
    assert before in data
    bad(tmp_path, f"a{extension}", after.join(data.rsplit(before, 1)))


def test_a_mesh_without_vertices_or_without_finite_ones_is_refused(tmp_path):
    assert "no vertices" in bad(tmp_path, "a.ply", ply_bytes(Mesh(np.zeros((0, 3)), [])))
    nowhere = Mesh(np.full((3, 3), np.nan), [[0, 1, 2]])
    assert "none with finite coordinates" in bad(tmp_path, "b.ply", ply_bytes(nowhere))
    assert np.isnan(read_ply(ply_bytes(nowhere)).vertices).all()


def test_some_vertices_that_are_not_finite_are_read_and_left_to_cleaning(tmp_path):
    vertices = np.eye(4)[:, :3]
    vertices[3] = np.inf
    path = written(tmp_path, "a.ply", ply_bytes(Mesh(vertices, [[0, 1, 2], [1, 2, 3]])))
    assert np.isinf(read_scan(path).vertices[3]).all()


@pytest.mark.parametrize("extension", [".ply", ".stl"])
def test_a_signalling_nan_is_read_like_any_other(tmp_path, extension):
    write_mesh(tmp_path / f"a{extension}", Mesh(np.eye(3) * 3, [[0, 1, 2]]))
    data = (tmp_path / f"a{extension}").read_bytes()
    three = np.float32(3).tobytes()
    assert data.count(three) == 3
    path = written(tmp_path, f"b{extension}", data.replace(three, bytes.fromhex("010080ff"), 1))
    assert np.isnan(read_scan(path).vertices).sum() == 1


def test_an_extension_that_cannot_be_written_is_refused(tmp_path, ball):
    with pytest.raises(ValueError, match=r"\.ply, \.obj"):
        write_mesh(tmp_path / "a.fbx", ball)


def test_a_folder_that_cannot_be_written_says_so_and_nothing_stays(tmp_path, ball):
    with pytest.raises(ScanError, match="cannot be written"):
        write_mesh(tmp_path / "none" / "a.ply", ball)
    (tmp_path / "b.ply").mkdir()
    with pytest.raises(ScanError, match="cannot be written"):
        write_mesh(tmp_path / "b.ply", ball)
    assert [p.name for p in tmp_path.iterdir()] == ["b.ply"]
