"""Uploads: names, sizes, formats, and nothing that stays on the disk."""

import json
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.apps.viewer.http import uploads
from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.uploads import clean_name, read_upload
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.files import SINGLE_FILES
from facecom.io.writers import glb_bytes, obj_bytes, off_bytes, ply_bytes, stl_bytes

SMALL = Limits(upload_mb=1, vertices=1000)


@pytest.fixture
def ball(icosphere):
    return icosphere(2, radius=80.0)


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "write"),
    [(".ply", ply_bytes), (".OBJ", obj_bytes), (".stl", stl_bytes), (".off", off_bytes), (".glb", glb_bytes)],
)
def test_every_format_is_read_by_content(ball, suffix, write):
    read = read_upload(f"a face{suffix}", write(ball), limits=SMALL)
    assert read.name == f"a_face{suffix}"
    assert len(read.mesh.faces) == len(ball.faces)


@given(st.text(max_size=200))
def test_names_are_plain(name):
    shown = clean_name(name)
    assert 0 < len(shown) <= 60
    assert all(c.isascii() and (c.isalnum() or c in "._-") for c in shown)
    assert shown[0] not in "._-"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "scan.gltf", "scan.ply.exe", "scan", "..", "", "scan.py", ".ply\0.exe"]
)
def test_other_names_are_refused(ball, name):
    with pytest.raises(ScanError, match="none of"):
        read_upload(name, ply_bytes(ball), limits=SMALL)


def test_no_part_of_a_name_reaches_the_file_system(ball, monkeypatch):
    """The file is written and read under a name of our own."""
    seen = []
    real = uploads.read_scan
    monkeypatch.setattr(uploads, "read_scan", lambda path: seen.append(path) or real(path))
    read_upload("../../secret/evil.ply", ply_bytes(ball), limits=SMALL)
    assert seen[0].name == "scan.ply"
    assert not seen[0].parent.exists()
    assert not {"secret", "evil"} & set(seen[0].parts)


def test_a_file_beside_or_above_is_not_opened(tmp_path, ball):
    """What a material library or a buffer names is looked for among what was uploaded, which is one file."""
    secret = tmp_path.parent / "secret.mtl"
    secret.write_text("newmtl a\nmap_Kd /etc/hostname\n")
    try:
        read = read_upload("a.obj", b"mtllib ../secret.mtl\n" + obj_bytes(ball), limits=SMALL)
        assert len(read.mesh.vertices) == len(ball.vertices)
        text = json.dumps(
            {"asset": {"version": "2.0"}, "buffers": [{"uri": "../secret.mtl", "byteLength": 9}]}
        ).encode()
        text += b" " * (-len(text) % 4)
        glb = b"glTF" + np.array([2, 20 + len(text), len(text)], "<u4").tobytes() + b"JSON" + text
        with pytest.raises(ScanError):
            read_upload("a.glb", glb, limits=SMALL)
    finally:
        secret.unlink()


@pytest.mark.parametrize("content", [b"", b"x" * 1_000_001])
def test_sizes_are_bounded(content):
    with pytest.raises(ScanError, match="empty, larger"):
        read_upload("a.ply", content, limits=SMALL)


def test_vertices_are_bounded(icosphere):
    with pytest.raises(ScanError, match="vertices, more than"):
        read_upload("a.ply", ply_bytes(icosphere(4)), limits=SMALL)


@pytest.mark.parametrize("suffix", SINGLE_FILES)
def test_what_is_no_scan_is_said_in_one_sentence_without_a_path(tmp_path, suffix):
    with pytest.raises(ScanError) as told:
        read_upload(f"letter{suffix}", b"Dear Sir or Madam,\nno mesh.\n", limits=SMALL)
    assert str(tmp_path) not in str(told.value)
    assert "\n" not in str(told.value)


def test_the_mesh_is_as_it_was(ball):
    assert np.allclose(read_upload("a.ply", ply_bytes(ball), limits=SMALL).mesh.vertices, ball.vertices)
    cloud = Mesh(ball.vertices, np.zeros((0, 3), int))
    assert not len(read_upload("a.ply", ply_bytes(cloud), limits=SMALL).mesh.faces)
