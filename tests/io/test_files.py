"""Reading and writing by extension: what comes back, and the one sentence that refuses what is no scan."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io import usd
from facecom.io.files import _READERS, MAX_FILE_BYTES, READABLE, WRITABLE, read_scan, write_mesh
from facecom.io.ply import read_ply
from facecom.io.writers import ply_bytes

EXACT = (".ply", ".obj", ".off")

IN_PROCESS = [extension for extension in READABLE if extension not in usd.SUFFIXES]
"""The others need an extra, and have tests of their own."""


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


@pytest.mark.parametrize("extension", [".ply", ".glb"])
def test_a_point_cloud_has_no_faces(tmp_path, ball, extension):
    write_mesh(tmp_path / f"cloud{extension}", Mesh(ball.vertices, []))
    mesh = read_scan(tmp_path / f"cloud{extension}")
    assert len(mesh.faces) == 0
    assert np.array_equal(mesh.vertices, ball.vertices)


def test_a_path_that_is_not_there_or_a_folder_or_of_an_unknown_kind_says_so(tmp_path, refused):
    with pytest.raises(ScanError, match=r"missing.ply does not exist"):
        read_scan(tmp_path / "missing.ply")
    with pytest.raises(ScanError, match="is a folder"):
        read_scan(tmp_path)
    assert all(extension in refused("face.docx", "x") for extension in READABLE)


@pytest.mark.parametrize("extension", IN_PROCESS)
def test_an_empty_file_says_so(extension, refused):
    assert "is empty" in refused(f"a{extension}", b"")
    assert "is empty" in refused(f"b{extension}", b"\n \n")


@pytest.mark.parametrize("extension", IN_PROCESS)
def test_text_that_is_not_a_mesh_says_so(extension, refused):
    refused(f"a{extension}", "Dear all,\nplease find the scan attached.\n")


@pytest.mark.parametrize("extension", IN_PROCESS)
def test_bytes_that_are_not_a_mesh_say_so(extension, refused):
    refused(f"a{extension}", np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes())


@pytest.mark.parametrize(
    ("extension", "share"),
    # OBJ declares no counts: one that ends between two face lines is whole.
    [(e, s) for e in WRITABLE for s in (0.99, 0.6, 0.1) if (e, s) != (".obj", 0.99)],
)
def test_a_file_that_is_cut_short_is_refused_and_never_half_read(tmp_path, ball, extension, share, refused):
    write_mesh(tmp_path / f"whole{extension}", Mesh(ball.vertices, ball.faces))
    data = (tmp_path / f"whole{extension}").read_bytes()
    refused(f"a{extension}", data[: int(share * len(data))])


def test_truncated_stl_and_glb_name_what_they_declare(tmp_path, ball, refused):
    for extension, what in ((".stl", "declares 320 triangles and holds 319"), (".glb", "bytes and holds")):
        write_mesh(tmp_path / f"whole{extension}", ball)
        assert what in refused(f"a{extension}", (tmp_path / f"whole{extension}").read_bytes()[:-1])


@pytest.mark.parametrize("extension", [".ply", ".obj", ".off"])
def test_faces_that_name_vertices_that_are_not_there_are_refused(tmp_path, extension, refused):
    write_mesh(tmp_path / f"good{extension}", Mesh(np.eye(3), [[0, 1, 2]]))
    data = (tmp_path / f"good{extension}").read_bytes()
    wrong = {".ply": (b"\2\0\0\0", b"\3\0\0\0"), ".obj": (b"f 1 2 3", b"f 1 2 4"), ".off": (b"3 0 1 2", b"3 0 1 3")}
    before, after = wrong[extension]
    assert before in data
    refused(f"a{extension}", after.join(data.rsplit(before, 1)))


def test_a_mesh_without_vertices_or_without_finite_ones_is_refused(refused):
    assert "no vertices" in refused("a.ply", ply_bytes(Mesh(np.zeros((0, 3)), [])))
    nowhere = Mesh(np.full((3, 3), np.nan), [[0, 1, 2]])
    assert "none with finite coordinates" in refused("b.ply", ply_bytes(nowhere))
    assert np.isnan(read_ply(ply_bytes(nowhere)).vertices).all()


def test_some_vertices_that_are_not_finite_are_read_and_left_to_cleaning(written):
    vertices = np.eye(4)[:, :3]
    vertices[3] = np.inf
    path = written("a.ply", ply_bytes(Mesh(vertices, [[0, 1, 2], [1, 2, 3]])))
    assert np.isinf(read_scan(path).vertices[3]).all()


@pytest.mark.parametrize("extension", [".ply", ".stl"])
def test_a_signalling_nan_is_read_like_any_other(tmp_path, extension, written):
    write_mesh(tmp_path / f"a{extension}", Mesh(np.eye(3) * 3, [[0, 1, 2]]))
    data = (tmp_path / f"a{extension}").read_bytes()
    three = np.float32(3).tobytes()
    assert data.count(three) == 3
    path = written(f"b{extension}", data.replace(three, bytes.fromhex("010080ff"), 1))
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


def test_a_pipe_or_a_device_is_no_scan(tmp_path):
    os.mkfifo(tmp_path / "pipe.ply")
    (tmp_path / "device.obj").symlink_to("/dev/zero")
    for name in ("pipe.ply", "device.obj"):
        with pytest.raises(ScanError, match=rf"{name} is a device or a pipe; name a regular file"):
            read_scan(tmp_path / name)


def test_a_file_larger_than_is_read_is_refused_unread(tmp_path):
    with open(tmp_path / "a.ply", "wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ScanError, match="2,147,483,649 bytes, more than"):
        read_scan(tmp_path / "a.ply")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "needs more memory than there is"),
        (RecursionError("maximum"), "nested too deeply"),
        (OverflowError("too large"), r"damaged \(too large\)"),
        (ValueError("one\ntwo" + 200 * "x"), r"damaged \(one twox{1,80}\)"),
    ],
)
def test_whatever_a_reader_ends_in_is_one_sentence(written, monkeypatch, error, words):
    def fail(data, path):
        raise error

    monkeypatch.setitem(_READERS, ".ply", fail)
    with pytest.raises(ScanError, match=words) as caught:
        read_scan(written("a.ply", "ply"))
    assert "\n" not in str(caught.value)
