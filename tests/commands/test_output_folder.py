"""Folders of results are whole or not there, of one run alone, and written by one run at a time."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from facecom.commands.output_folder import output_folder
from facecom.errors import ScanError
from facecom.io.files import write_bytes


def test_files_appear_when_the_block_succeeds_and_replace_folders(tmp_path):
    out = tmp_path / "out"
    (out / "model").mkdir(parents=True)
    (out / "model" / "old").touch()
    with output_folder(out) as partial:
        (partial / "face.ply").write_text("new")
        (partial / "model").mkdir()
        (partial / "model" / "new").touch()
        assert not (out / "face.ply").exists()
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*")) == [
        ".facecom.json",
        "face.ply",
        "model",
        "model/new",
    ]


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


def run(out, *names, inputs=()):
    with output_folder(out, inputs=inputs) as partial:
        for name in names:
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_text("new")


def listed(out):
    return sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.name != ".facecom.json")


def test_nothing_of_an_earlier_run_is_left_beside_new_files(tmp_path):
    run(tmp_path, "face.ply", "detail.ply", "face_0001.ply", "model/model.json", "report.json")
    (tmp_path / "my notes.txt").write_text("mine")
    (tmp_path / "face_0002.ply").write_text("mine")
    run(tmp_path, "face.ply", "report.json")
    assert listed(tmp_path) == ["face.ply", "face_0002.ply", "my notes.txt", "report.json"]
    assert (tmp_path / "face_0002.ply").read_text() == "mine"


def test_a_failed_run_keeps_all_of_the_earlier_one(tmp_path):
    run(tmp_path, "face.ply", "detail.ply")
    with pytest.raises(RuntimeError), output_folder(tmp_path) as partial:
        (partial / "face.ply").write_text("half")
        raise RuntimeError
    assert listed(tmp_path) == ["detail.ply", "face.ply"]
    assert (tmp_path / "face.ply").read_text() == "new"


def test_a_failure_between_the_moves_is_undone(tmp_path, monkeypatch):
    run(tmp_path, "a.ply", "b.ply", "old.ply")
    (tmp_path / "a.ply").write_text("old")
    rename, moved = os.rename, []

    def failing(source, target):
        moved.append(target)
        if len(moved) == 5:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "a.ply", "c.ply")
    assert len(moved) > 5
    assert listed(tmp_path) == ["a.ply", "b.ply", "old.ply"]
    assert (tmp_path / "a.ply").read_text() == "old"


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
    for name in ("face.ply", "patch.ply", "report.json"):
        (partial / name).write_text("new")
"""


@pytest.mark.parametrize("moves", range(7))
def test_a_kill_between_moves_never_mixes_two_runs_and_the_next_run_cleans_up(tmp_path, moves):
    with output_folder(tmp_path) as partial:
        for name in ("face.ply", "patch.ply", "detail.ply", "report.json"):
            (partial / name).write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(moves)], check=False)
    assert done.returncode == -signal.SIGKILL
    left = {p.name: p.read_text() for p in tmp_path.iterdir() if p.suffix in (".ply", ".json") and p.name[0] != "."}
    assert len(set(left.values())) <= 1
    if "report.json" in left:
        assert len(left) == {"old": 4, "new": 3}[left["report.json"]]
    run(tmp_path, "face.ply")
    assert listed(tmp_path) == ["face.ply"]


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
    run(tmp_path / "set", "face.ply", "model/weights.safetensors")
    with pytest.raises(ScanError, match="read by this run"):
        run(tmp_path / "set", "report.json", inputs=(tmp_path / name, None))
    assert listed(tmp_path / "set") == ["face.ply", "model", "model/weights.safetensors"]
    with pytest.raises(ScanError, match="read by this run"):
        run(tmp_path, "set/report.json", inputs=(tmp_path / name,))


def test_a_folder_in_the_way_is_named_and_nothing_moves(tmp_path):
    run(tmp_path, "a.ply", "z.ply")
    (tmp_path / "report.json").mkdir()
    with pytest.raises(ScanError, match=r"report\.json is in the way"):
        run(tmp_path, "b.ply", "report.json")
    assert listed(tmp_path) == ["a.ply", "report.json", "z.ply"]


def test_a_list_that_names_other_places_is_not_followed(tmp_path):
    (tmp_path / "precious.txt").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".facecom.json").write_text('{"files": ["../precious.txt", ".", "..", 7, "a/b"]}')
    run(tmp_path / "out", "face.ply")
    assert (tmp_path / "precious.txt").exists()
    (tmp_path / "out" / ".facecom.json").write_text("[" * 100_000)
    run(tmp_path / "out", "face.ply")


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
            print("ready", flush=True)
            time.sleep(60)
__main__.parser = lambda: type("P", (), {"parse_args": lambda self, _: Options()})()
sys.exit(__main__.main([]))
"""


def test_sigterm_leaves_nothing(tmp_path):
    command = [sys.executable, "-c", WAITING, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
    assert process.returncode == 143 and said.startswith("facecom: ended") and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
