"""Child processes: their bounds, what their end means, and what does not reach the parent."""

import json
import os
import tempfile
import threading
import time

import numpy as np
import pytest

from facecom.apps.isolation import process
from facecom.apps.isolation.process import ProcessLimits, run_isolated
from facecom.apps.isolation.reading import (
    MESH_FILE,
    WARNINGS_FILE,
    load_mesh,
    load_warnings,
    read_isolated,
    read_isolated_bytes,
    save_mesh,
    save_warnings,
)
from facecom.errors import AlignmentError, ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.files import write_mesh


@pytest.fixture
def tasks(child_tasks):
    return child_tasks


def run(task, folder, *, progress=None, options=None, **limits):
    run_isolated(task, folder, what="reading a.ply", limits=ProcessLimits(**limits), progress=progress, options=options)


@pytest.fixture
def started(monkeypatch):
    """The processes that were started."""
    seen = []

    class Recorded(process.subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            seen.append(self)

    monkeypatch.setattr(process.subprocess, "Popen", Recorded)
    return seen


def test_results_and_progress_come_back(tasks, tmp_path):
    told = []
    run(tasks.write, tmp_path, options={"text": "ä"}, progress=lambda stage, share: told.append((stage, share)))
    assert (tmp_path / "out.txt").read_text() == "ä"
    assert told[0] == ("start", 0.0) and set(told[1:]) <= {("start", 0.0), ("write", 0.25)}


@pytest.mark.parametrize(("number", "name"), [(11, "SIGSEGV"), (9, "SIGKILL")])
def test_a_child_that_is_killed_is_one_sentence(tasks, tmp_path, number, name):
    with pytest.raises(ScanError, match=rf"^reading a.ply ended the process that did it \({name}\); save"):
        run(tasks.end, tmp_path, options={"by": number})


@pytest.mark.parametrize("task", ["sleep", "close_and_sleep"])
def test_a_child_over_its_time_is_ended_and_one_sentence(tasks, tmp_path, started, task):
    start = time.monotonic()
    with pytest.raises(ScanError, match=r"^reading a.ply took more than 1.2 s and was stopped; "):
        run(getattr(tasks, task), tmp_path, seconds=1.2)
    assert time.monotonic() - start < 30.0
    assert [child.returncode for child in started] == [-9]


def test_a_child_over_its_memory_is_one_sentence(tasks, tmp_path):
    with pytest.raises(ScanError, match=r"^reading a.ply took more than 400 MB of memory; "):
        run(tasks.grow, tmp_path, memory_mb=400)


def test_a_child_that_fills_the_disk_is_ended(tasks, tmp_path):
    with pytest.raises((ScanError, RuntimeError)):
        run(tasks.fill, tmp_path, file_mb=100)
    assert (tmp_path / "large").stat().st_size <= 100e6


def test_a_child_that_reports_without_end_is_ended_in_time(tasks, tmp_path):
    with pytest.raises(ScanError, match="more than 1 s|ended the process"):
        run(tasks.flood, tmp_path, seconds=1.0, file_mb=50)


@pytest.mark.parametrize(("kind", "error"), [("AlignmentError", AlignmentError), ("ValueError", ValueError)])
def test_what_a_task_raises_is_raised(tasks, tmp_path, kind, error):
    with pytest.raises(error, match=r"^the reason is here$"):
        run(tasks.refuse, tmp_path, options={"kind": kind})


def test_a_bug_is_logged_and_no_sentence_of_the_scan(tasks, tmp_path, caplog):
    with pytest.raises(RuntimeError, match="status 1"):
        run(tasks.fail, tmp_path)
    assert "a bug" in caplog.text


@pytest.mark.parametrize("kind", ["need", "Any", "__doc__"])
def test_a_sentence_of_another_kind_is_no_error_of_ours(tasks, tmp_path, kind):
    """The name of an error that a child left leads to none of the other things of that module."""
    with pytest.raises(ValueError, match="^5$"):
        run(tasks.lie, tmp_path, options={"kind": kind})


def test_warnings_of_a_child_are_in_the_log(tasks, tmp_path, caplog):
    run(tasks.warn, tmp_path)
    assert [record.getMessage() for record in caplog.records] == ["no colours"]


def test_what_progress_raises_ends_the_child(tasks, tmp_path, started):
    def stop_when_it_sleeps(stage, share):
        if (tmp_path / "pid").exists():
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(tasks.sleep, tmp_path, progress=stop_when_it_sleeps)
    assert [child.returncode for child in started] == [-9]


def test_other_threads_go_on_meanwhile(tasks, tmp_path):
    """A child holds no lock of its parent."""
    steps = []
    worker = threading.Thread(target=lambda: pytest.raises(ScanError, run, tasks.sleep, tmp_path, seconds=1.0))
    worker.start()
    while worker.is_alive():
        before = time.perf_counter()
        time.sleep(0.01)
        steps.append(time.perf_counter() - before)
    assert len(steps) > 10 and sorted(steps)[len(steps) // 2] < 0.2


@pytest.mark.parametrize("name", ["seconds", "memory_mb", "file_mb"])
def test_limits_are_above_zero(name):
    with pytest.raises(ValueError, match=f"{name} must be above 0"):
        ProcessLimits(**{name: 0})


@pytest.mark.parametrize("line", [b"", b"[]", b"5", b"null", b'{"stage": 1}', b"[" * 5000, b'{"share": NaN}', b"\xff"])
def test_lines_that_are_no_report_are_ignored(line):
    assert process._parsed(line) is None


@pytest.mark.parametrize(("share", "seen"), [("NaN", 0.0), ("7", 0.0), ("0.5", 0.5)])
def test_shares_are_shares(share, seen):
    assert process._parsed(b'{"stage": "fit", "share": %s}' % share.encode()) == ("fit", seen)


@pytest.fixture
def nothing_stays(tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(kept))
    yield
    assert list(kept.iterdir()) == []


def test_a_scan_is_read_as_it_is(sheet, tmp_path, nothing_stays):
    flat = sheet(4, 4)
    colored = Mesh(flat.vertices, flat.faces, colors=np.random.default_rng(0).random((25, 3)))
    write_mesh(tmp_path / "a.ply", colored)
    read = read_isolated(tmp_path / "a.ply")
    assert np.array_equal(read.vertices, flat.vertices) and np.array_equal(read.faces, flat.faces)
    assert np.abs(read.colors - colored.colors).max() < 0.01 and read.uv is None


def test_points_get_the_surface_that_complete_gives_them(sheet, tmp_path, nothing_stays):
    from facecom.scan.surface_reconstruction import surface_from_points

    cloud = Mesh(sheet(12, 12).vertices, np.zeros((0, 3), int))
    write_mesh(tmp_path / "a.ply", cloud)
    assert np.array_equal(read_isolated(tmp_path / "a.ply").faces, surface_from_points(cloud).faces)


def test_too_many_vertices_are_refused_before_they_get_a_surface(tmp_path, nothing_stays):
    told = []
    text = "".join(f"{x} {y} 0\n" for x in range(40) for y in range(40)).encode()
    with pytest.raises(ScanError, match=r"^my.xyz has 1,600 vertices, more than the 1,000 allowed here; decimate it$"):
        read_isolated_bytes(text, name="my.xyz", max_vertices=1000, progress=lambda stage, _: told.append(stage))
    assert "surface" not in told


def test_what_a_reader_says_comes_back_with_the_name_that_is_shown(tmp_path, nothing_stays, caplog):
    head = "comment TextureFile gone.png\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    head += "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    text = f"ply\nformat ascii 1.0\n{head}0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n".encode()
    mesh, said = read_isolated_bytes(text, name="my.ply")
    assert len(mesh.faces) == 1
    assert [line.startswith("my.ply names the texture gone.png, which is not beside it") for line in said] == [True]
    assert not caplog.records
    (tmp_path / "a.ply").write_bytes(text)
    read_isolated(tmp_path / "a.ply")
    assert ["names the texture gone.png" in record.getMessage() for record in caplog.records] == [True]


def test_warnings_that_come_back_are_bounded_lines(tmp_path):
    save_warnings(tmp_path, ["two\nlines", "x" * 100_000] * 50)
    found = load_warnings(tmp_path)
    assert found[0] == "two lines" and len(found) <= 50 and max(map(len, found)) < 2000
    for damaged in (b"", b"{}", b"5", b"[" * 100_000, json.dumps(["x" * 10**6]).encode()):
        (tmp_path / WARNINGS_FILE).write_bytes(damaged)
        with pytest.raises(ScanError, match="came back"):
            load_warnings(tmp_path)


def test_a_reader_that_hangs_is_stopped(tmp_path, nothing_stays, tasks, monkeypatch):
    monkeypatch.setattr("facecom.apps.isolation.reading._read", tasks.sleep)
    with pytest.raises(ScanError, match=r"^reading a.ply took more than 1 s"):
        read_isolated_bytes(b"x", name="a.ply", limits=ProcessLimits(seconds=1.0))


@pytest.mark.parametrize("path", ["/dev/zero", "/nowhere/a.ply", "/tmp"])
def test_what_is_no_regular_file_is_refused(path):
    with pytest.raises(ScanError, match="cannot be read"):
        read_isolated(path)


def test_a_mesh_that_comes_back_damaged_is_refused(sheet, tmp_path):
    """A child that was taken over may leave anything."""
    save_mesh(tmp_path, sheet(2, 2))
    assert len(load_mesh(tmp_path).faces) == 8
    whole = (tmp_path / MESH_FILE).read_bytes()
    np.savez(tmp_path / MESH_FILE, vertices=np.zeros((3, 3)), faces=[[0, 1, 3]])
    outside = (tmp_path / MESH_FILE).read_bytes()
    np.savez(tmp_path / MESH_FILE, vertices=np.array([{"a": 1}], dtype=object), faces=np.zeros((0, 3), int))
    objects = (tmp_path / MESH_FILE).read_bytes()
    for damaged in (b"", b"no mesh", whole[:-100], outside, objects):
        (tmp_path / MESH_FILE).write_bytes(damaged)
        with pytest.raises(ScanError, match="came back damaged"):
            load_mesh(tmp_path)
    (tmp_path / MESH_FILE).unlink()
    os.mkfifo(tmp_path / MESH_FILE)
    with pytest.raises(ScanError, match="came back damaged"):
        load_mesh(tmp_path)
