"""Marks as files: what the viewer saves, the command line reads, and the other way round."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecom.apps.isolation.process import ProcessLimits, run_isolated
from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.session import mark_files
from facecom.apps.viewer.session.marks import MarkKind, Tool
from facecom.apps.viewer.session.scan_unit import ScanUnit
from facecom.apps.viewer.session.session import Session
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.writers import ply_bytes
from facecom.scan.mark_sources import read_marks


@pytest.fixture
def in_this_process(monkeypatch):
    """Starting a process for each of these files would take most of their time; two tests do."""

    def call(task, folder, *, options, progress, **_):
        task(Path(folder), progress=progress, **options)

    monkeypatch.setattr(mark_files, "run_isolated", call)


@pytest.fixture
def session(scan):
    return Session().load(UploadedScan("s.ply", scan), ScanUnit("mm"))


@pytest.fixture
def chosen(scan):
    """Vertices of a spot on the cheek."""
    start = scan.vertices[len(scan.vertices) // 3]
    return np.linalg.norm(scan.vertices - start, axis=1) < 14.0


@pytest.fixture
def read(session, shared, tmp_path, monkeypatch):
    """Read a file of marks for the session; nothing of it stays on the disk."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))

    def call(name, content, *, of=session):
        options = {"model": shared, "limits": ProcessLimits(), "progress": lambda stage, share: None}
        return mark_files.read_marks_file(name, content, of, **options)

    yield call
    assert list(own.iterdir()) == []


@pytest.fixture
def read_named(session, shared):
    """Words of marks, by the same bounds."""
    options = {"model": shared, "limits": ProcessLimits(), "progress": lambda stage, share: None}
    return lambda word, of=session: mark_files.read_named_marks(word, of, **options)


def overlap(one, other):
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


@pytest.mark.parametrize("kind", list(MarkKind))
def test_marks_come_back_as_they_were_saved(session, chosen, read, in_this_process, tmp_path, kind):
    tool = Tool.MARK_MISSING if kind is MarkKind.MISSING else Tool.MARK_DOUBTED
    marked = session.paint(np.flatnonzero(chosen), tool)
    data = mark_files.marks_file(marked, kind)
    (tmp_path / "marks.json").write_bytes(data)
    told = marked.scan_marks
    own = told.missing if kind is MarkKind.MISSING else told.doubted
    assert np.array_equal(read_marks(tmp_path / "marks.json").points, own.points)  # what the command line reads
    assert np.array_equal(read("marks.json", data), chosen)


def test_a_scan_with_broken_and_double_vertices_keeps_its_marks(scan, chosen, read, in_this_process):
    holey = Mesh(np.vstack([scan.vertices, [np.nan, 0, np.inf], scan.vertices[chosen][:1]]), scan.faces)
    session = Session().load(UploadedScan("s", holey), ScanUnit("mm")).paint(np.flatnonzero(chosen), Tool.MARK_MISSING)
    back = read("m.json", mark_files.marks_file(session, MarkKind.MISSING), of=session)
    assert np.flatnonzero(back).tolist() == [*np.flatnonzero(chosen), len(holey.vertices) - 1]


def test_nothing_marked_is_nothing_to_save(session):
    with pytest.raises(ValueError, match="nothing is marked as doubted"):
        mark_files.marks_file(session, MarkKind.DOUBTED)


def test_other_forms_of_marks_mark_what_they_lie_on(scan, chosen, read, in_this_process):
    """A painted surface, painted points beside the vertices, and a sphere."""
    surface = scan.submesh(chosen[scan.faces].all(axis=1))[0]
    beside = scan.vertices[chosen] + np.random.default_rng(0).normal(0.0, 0.2, (chosen.sum(), 3))
    centre = scan.vertices[len(scan.vertices) // 3]
    for name, content in (
        ("painted.ply", ply_bytes(surface)),
        ("points.xyz", "\n".join(" ".join(map(str, p)) for p in beside).encode()),
        ("ball.json", json.dumps({"spheres": [{"center": centre.tolist(), "radius": 14.0}]}).encode()),
    ):
        assert overlap(read(name, content), chosen) > 0.65, name


@pytest.mark.slow
def test_a_region_is_marked_where_the_face_lies(completion, scan, read, read_named, in_this_process):
    marked = read("m.json", b'{"regions": ["left_orbit"]}')
    assert np.array_equal(read_named(" left_orbit "), marked)
    place = completion.pose.apply(scan.vertices)[marked].mean(axis=0)
    assert marked.sum() > 50 and place[0] > 15.0 and place[1] > 15.0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.json", b"no json", "^m.json is not JSON"),
        ("m.json", b'{"points": []}', "^m.json marks nothing"),
        ("m.json", b'{"points": [[9000, 0, 0], [9001, 0, 0]]}', "own frame and unit"),
        ("m.ply", b"Dear Sir or Madam", "^m.ply "),
        ("m.png", b"x", "^m.png: the scan has no texture coordinates"),
    ],
)
def test_what_marks_nothing_is_said_without_a_path(read, in_this_process, tmp_path, name, content, words):
    with pytest.raises((ScanError, ValueError), match=words) as told:
        read(name, content)
    assert str(tmp_path) not in str(told.value)


def test_a_painted_colour_is_marked_by_its_digits(scan, chosen, read_named, in_this_process):
    colors = np.where(chosen[:, None], [1.0, 0.0, 0.0], [0.5, 0.5, 0.5])
    painted = Mesh(scan.vertices, scan.faces, colors=colors)
    session = Session().load(UploadedScan("s", painted), ScanUnit("mm"))
    assert np.array_equal(read_named("color:ff0000", session), chosen)


def test_a_word_names_no_file_of_the_server(read_named, in_this_process, tmp_path, chosen):
    (tmp_path / "own.json").write_text('{"regions": ["nose"]}')
    for word in (str(tmp_path / "own.json"), "marks", "scan.npz", "attribute:x", "", "nostril"):
        with pytest.raises(ValueError, match=r"is neither a colour such as color:ff0000 nor a region \(skin, nose"):
            read_named(word)
    with pytest.raises(ValueError, match="six hexadecimal digits"):
        read_named("color:/etc/passwd")


def test_a_file_is_read_in_a_child_whose_death_is_one_sentence(read, session, chosen, monkeypatch, child_tasks):
    marked = session.paint(np.flatnonzero(chosen), Tool.MARK_MISSING)
    assert np.array_equal(read("m.json", mark_files.marks_file(marked, MarkKind.MISSING)), chosen)
    monkeypatch.setattr(mark_files, "_read", child_tasks.end_by_11)
    with pytest.raises(ScanError, match=r"^reading the marks m.json ended the process that did it \(SIGSEGV\); save"):
        read("m.json", b"{}")


def test_marks_of_another_size_that_a_child_left_are_refused(read, session, monkeypatch):
    def lie(task, folder, **_):
        mark_files.save_arrays(Path(folder) / mark_files.VERTICES_FILE, {"marked": np.ones(3, bool)})

    assert run_isolated is mark_files.run_isolated
    monkeypatch.setattr(mark_files, "run_isolated", lie)
    with pytest.raises(ScanError, match="gave marks that are none"):
        read("m.json", b"{}")


def test_marks_do_not_depend_on_what_is_painted_already(session, chosen, read, in_this_process):
    data = mark_files.marks_file(session.paint(np.flatnonzero(chosen), Tool.MARK_MISSING), MarkKind.MISSING)
    other = replace(session.paint(np.flatnonzero(~chosen), Tool.MARK_MISSING), snap=False)
    assert np.array_equal(read("m.json", data, of=other), chosen)
