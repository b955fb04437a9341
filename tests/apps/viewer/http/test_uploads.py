"""Uploads: names, sizes, formats, and nothing that stays on the disk."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.apps.isolation import reading
from facecom.apps.isolation.process import run_isolated
from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.uploads import clean_name, read_upload
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.files import SINGLE_FILES
from facecom.io.writers import glb_bytes, obj_bytes, off_bytes, ply_bytes, stl_bytes

pytestmark = pytest.mark.usefixtures("nothing_stays")

SMALL = Limits(upload_mb=1, vertices=1000)


@pytest.fixture
def ball(icosphere):
    return icosphere(2, radius=80.0)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Starting a process for each of these files would take most of their time; the last test does."""

    def call(task, folder, *, options, progress, **_):
        task(Path(folder), progress=progress or (lambda stage, share: None), **options)

    monkeypatch.setattr(reading, "run_isolated", call)


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
    real = reading.run_isolated

    def watched(task, folder, **options):
        seen.extend(path.name for path in Path(folder).iterdir())
        real(task, folder, **options)

    monkeypatch.setattr(reading, "run_isolated", watched)
    read_upload("../../secret/evil.ply", ply_bytes(ball), limits=SMALL)
    assert seen == ["scan.ply"]


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


@pytest.mark.parametrize(("content", "words"), [(b"", "is empty"), (b"x" * 1_000_001, "is larger than 1 MB")])
def test_sizes_are_bounded(content, words):
    with pytest.raises(ScanError, match=f"^a.ply {words}"):
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


def test_points_come_with_a_surface(ball):
    cloud = Mesh(ball.vertices, np.zeros((0, 3), int))
    read = read_upload("a.ply", ply_bytes(cloud), limits=SMALL)
    assert len(read.mesh.vertices) == len(ball.vertices) and len(read.mesh.faces) > 0.9 * len(ball.faces)


def test_a_reader_that_crashes_is_a_sentence_with_the_name_that_is_shown(ball, monkeypatch, child_tasks):
    monkeypatch.setattr(reading, "run_isolated", run_isolated)
    monkeypatch.setattr(reading, "_read", child_tasks.end_by_11)
    with pytest.raises(ScanError, match=r"^reading my_face.ply ended the process that did it \(SIGSEGV\)"):
        read_upload("C:\\my face.ply", ply_bytes(ball), limits=SMALL)
