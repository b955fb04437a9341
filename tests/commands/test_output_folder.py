"""Folders of results are whole or not there, of one run alone, and written by one run at a time."""

import functools
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facecom.commands.output_folder import output_folder
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.files import write_bytes, write_mesh
from facecom.model.template import Template


def test_files_appear_when_the_block_succeeds_and_replace_folders(tmp_path):
    out = tmp_path / "out"
    (out / "model").mkdir(parents=True)
    (out / "model" / "old").touch()
    with output_folder(out) as partial:
        (partial / "face.ply").write_text("new")
        (partial / "model").mkdir()
        (partial / "model" / "new").touch()
        assert not (out / "face.ply").exists()
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*")) == ["face.ply", "model", "model/new"]


def test_a_failed_block_leaves_no_folder_that_was_not_there(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(RuntimeError), output_folder(tmp_path / "there" / "deep" / "out") as partial:
        (partial / "face.ply").touch()
        raise RuntimeError
    assert list((tmp_path / "there").iterdir()) == []


def test_a_failed_block_keeps_what_was_there(tmp_path):
    (tmp_path / "face.ply").write_text("old")
    with pytest.raises(RuntimeError), output_folder(tmp_path) as partial:
        (partial / "face.ply").write_text("new")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["face.ply"]
    assert (tmp_path / "face.ply").read_text() == "old"


def test_ctrl_c_while_the_folder_is_made_leaves_nothing(tmp_path, monkeypatch):
    """The signal may come right after the folder was made."""
    mkdir = Path.mkdir

    def interrupted(path, *args, **options):
        mkdir(path, *args, **options)
        if path.name.startswith(".partial"):
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), output_folder(tmp_path / "deep" / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


COMPLETION = json.dumps({"scan_to_face_mm": {}, "versions": {}})
REGISTRATION = json.dumps({"scans": {"anna": {}, "../up": {}}, "regions": []})


def run(out, *names, inputs=(), report=COMPLETION, text="new"):
    with output_folder(out, inputs=inputs) as partial:
        for name in names:
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_text(report if name.endswith("report.json") else text)


def listed(out):
    return sorted(str(p.relative_to(out)) for p in out.rglob("*"))


def test_nothing_of_an_earlier_completion_is_left_beside_new_files(tmp_path):
    run(tmp_path, "face.ply", "detail.ply", "explain.html", "report.json")
    (tmp_path / "face_0002.ply").write_text("mine")
    (tmp_path / "shell.ply").write_text("mine")
    run(tmp_path, "face.ply", "report.json")
    assert listed(tmp_path) == ["face.ply", "face_0002.ply", "report.json", "shell.ply"]


def test_nothing_of_an_earlier_registration_is_left(tmp_path):
    (tmp_path / "up.ply").touch()
    out = tmp_path / "out"
    run(out, "anna.ply", "anna.mrk.json", "mean.ply", "model/a", "report.json", report=REGISTRATION)
    (out / "berta.ply").write_text("mine")
    run(out, "face.ply", "report.json")
    assert listed(out) == ["berta.ply", "face.ply", "report.json"]
    assert (tmp_path / "up.ply").exists()


def test_nothing_of_earlier_designs_is_left(tmp_path):
    with output_folder(tmp_path) as partial:
        for name in ("part_1", "part_2", "sample_1"):
            (partial / name).mkdir()
            (partial / name / "prosthesis.json").write_text('{"format": "facecom-prosthesis"}')
    (tmp_path / "part_3").mkdir()
    run(tmp_path, "shell.stl", "samples.png")
    (tmp_path / "prosthesis.json").write_text('{"format": "facecom-prosthesis"}')
    run(tmp_path, "shell.stl")
    assert listed(tmp_path) == ["part_3", "shell.stl"]


def test_nothing_of_earlier_samples_is_left(tmp_path):
    own, drawn = Mesh(np.eye(3), [[0, 1, 2]]), Template.load().mesh(0)
    with output_folder(tmp_path) as partial:
        write_mesh(partial / "face_0000.ply", drawn)
        write_mesh(partial / "face_0001.ply", drawn)
    write_mesh(tmp_path / "face_0002.ply", own)
    (tmp_path / "face_0003.ply").mkdir()
    run(tmp_path, "face_0000.ply")
    assert listed(tmp_path) == ["face_0000.ply", "face_0002.ply", "face_0003.ply"]


@pytest.mark.parametrize("report", ["{}", "[]", "[" * 100_000, '{"scans": {"a": 1}}', "\xff", None])
def test_a_name_alone_proves_nothing(tmp_path, report):
    for name in ("face.ply", "detail.ply", "a.ply"):
        (tmp_path / name).touch()
    if report is None:
        os.mkfifo(tmp_path / "report.json")
    else:
        (tmp_path / "report.json").write_text(report)
    run(tmp_path, "face.ply")
    assert listed(tmp_path) == ["a.ply", "detail.ply", "face.ply", "report.json"]


def test_a_failed_run_keeps_all_of_the_earlier_one(tmp_path):
    run(tmp_path, "face.ply", "detail.ply", "report.json")
    with pytest.raises(RuntimeError), output_folder(tmp_path) as partial:
        (partial / "face.ply").write_text("half")
        raise RuntimeError
    assert listed(tmp_path) == ["detail.ply", "face.ply", "report.json"]
    assert (tmp_path / "face.ply").read_text() == "new"


OLD, NEW = ["detail.ply", "face.ply", "patch.ply", "report.json"], ["face.ply", "patch.ply", "report.json"]
MOVES = len(OLD) + 1 + len(NEW)


@pytest.mark.parametrize("moves", range(1, MOVES + 1))
def test_a_failure_between_the_moves_is_undone(tmp_path, monkeypatch, moves):
    run(tmp_path, *OLD, text="old")
    rename, moved = os.rename, []

    def failing(source, target):
        moved.append(target)
        if len(moved) == moves:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, *NEW)
    assert listed(tmp_path) == OLD
    assert (tmp_path / "face.ply").read_text() == "old"


KILLED = """
import os, signal, sys
from pathlib import Path
from facecom.commands.output_folder import output_folder
rename, moved = os.rename, []
def killing(source, target):
    if len(moved) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    moved.append(target)
    rename(source, target)
os.rename = killing
with output_folder(Path(sys.argv[1])) as partial:
    for name in ("face.ply", "patch.ply"):
        (partial / name).write_text("new")
    (partial / "report.json").write_text(sys.argv[3])
"""


@pytest.mark.parametrize("moves", range(MOVES))
def test_a_kill_between_moves_never_mixes_two_runs_and_the_next_run_makes_one_of_them_whole(tmp_path, moves):
    run(tmp_path, *OLD, text="old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(moves), COMPLETION], check=False)
    assert done.returncode == -signal.SIGKILL
    left = {p.name: p.read_text() for p in tmp_path.glob("*.ply")}
    assert len(set(left.values())) <= 1
    if (tmp_path / "report.json").exists():
        assert len(left) == {"old": 3, "new": 2}[left["face.ply"]]
    with pytest.raises(RuntimeError), output_folder(tmp_path):
        raise RuntimeError
    assert listed(tmp_path) == (OLD if moves <= len(OLD) else NEW)
    assert {p.read_text() for p in tmp_path.glob("*.ply")} == {"old" if moves <= len(OLD) else "new"}


def test_remains_of_dead_runs_go_whatever_their_number(tmp_path):
    for number in (1, os.getpid(), 4_000_000):
        (tmp_path / f".partial-{number}" / "deep").mkdir(parents=True)
    run(tmp_path, "face.ply")
    assert listed(tmp_path) == ["face.ply"]


def test_two_runs_into_one_folder_are_refused(tmp_path):
    with output_folder(tmp_path / "out") as partial:
        (partial / "face.ply").write_text("first")
        with pytest.raises(ScanError, match="another run"):
            run(tmp_path / "out", "face.ply")
        assert partial.exists()
    assert (tmp_path / "out" / "face.ply").read_text() == "first"
    run(tmp_path / "out", "face.ply")


@pytest.mark.parametrize("name", ["set/model", "set/model/weights.safetensors", "set/face.ply"])
def test_what_the_run_reads_is_never_replaced(tmp_path, name):
    registered = json.dumps({"scans": {"face": {}}, "regions": []})
    run(tmp_path / "set", "face.ply", "model/weights.safetensors", "report.json", report=registered)
    with pytest.raises(ScanError, match="read by this run"):
        run(tmp_path / "set", "report.json", inputs=(tmp_path / name, None))
    assert listed(tmp_path / "set") == ["face.ply", "model", "model/weights.safetensors", "report.json"]
    with pytest.raises(ScanError, match="read by this run"):
        run(tmp_path, "set/other.json", inputs=(tmp_path / name,))


def test_a_folder_in_the_way_is_named_and_nothing_moves(tmp_path):
    run(tmp_path, "a.ply", "z.ply", "face.ply")
    (tmp_path / "report.json").mkdir()
    with pytest.raises(ScanError, match=r"report\.json is in the way"):
        run(tmp_path, "b.ply", "report.json")
    assert listed(tmp_path) == ["a.ply", "face.ply", "report.json", "z.ply"]


def test_a_full_disk_is_one_sentence_that_names_the_folder(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        for write in (lambda path: path.write_bytes(bytes(5000)), lambda path: write_bytes(path, bytes(5000))):
            with (
                pytest.raises(ScanError, match="cannot be written") as caught,
                output_folder(tmp_path / "out") as partial,
            ):
                write(partial / "face.ply")
            assert ".partial" not in str(caught.value)
            assert list(tmp_path.iterdir()) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("where", ["/proc/facecom", "file/out", "file"])
def test_folders_that_cannot_be_made_are_one_sentence(tmp_path, where):
    (tmp_path / "file").touch()
    with pytest.raises(ScanError, match="cannot be written"), output_folder(tmp_path / where):
        pytest.fail("the work began")


WAITING = """
import sys, time
from facecom import __main__
from facecom.commands import options
from facecom.commands.output_folder import output_folder
from pathlib import Path
class Options:
    def run(self, _):
        with output_folder(Path(sys.argv[1])) as partial:
            (partial / "face.ply").touch()
            sys.stdout.write("ready\\n")
            sys.stdout.flush()
            WAIT
__main__.parser = lambda: type("P", (), {"parse_args": lambda self, _: Options()})()
__main__.run()
"""


IN_TEXT = 'exec("time.sleep(60)")'  # where the interpreter marks itself as ended by a plain KeyboardInterrupt
IN_AN_IMPORT = """
            try:
                time.sleep(60)
            except BaseException:
                raise ImportError("initialization failed") from None
"""


@pytest.mark.parametrize("wait", ["time.sleep(60)", IN_TEXT, IN_AN_IMPORT.strip()])
@pytest.mark.parametrize(
    ("number", "status", "sentence"), [(signal.SIGINT, 130, "stopped"), (signal.SIGTERM, 143, "ended")]
)
def test_signals_leave_nothing(tmp_path, wait, number, status, sentence):
    command = [sys.executable, "-c", WAITING.replace("WAIT", wait), str(tmp_path / "out")]
    hear = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        said = process.communicate(timeout=30)[1]
    assert process.returncode == status and said.startswith(f"facecom: {sentence}") and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
