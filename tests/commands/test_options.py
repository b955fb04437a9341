"""The help of each verb: its example can be run, and it names the files that are written."""

import re
import shlex
from pathlib import Path

import pytest

import facecom
from facecom.__main__ import main
from facecom.commands.help import DEFECT_FILES, DETAIL_FILES, RESULT_FILES
from facecom.commands.options import parser
from facecom.geometry.mesh import Mesh
from facecom.io.files import read_scan, write_mesh
from facecom.registration.export import MEAN, MODEL, REPORT

VERBS = ("complete", "explain", "prosthesis", "register", "serve", "demo", "sample", "train")
FILES = {
    "complete": {*RESULT_FILES, *DEFECT_FILES, *DETAIL_FILES},
    "explain": {"explain.json", "explain.html", *RESULT_FILES, *DEFECT_FILES, *DETAIL_FILES},
    "prosthesis": {"shell.stl", "shell.3mf", "shell.ply", "mould_a.stl", "mould_b.stl", "inspection.json"}
    | {"inspection.png", "prosthesis.json", "samples.png", "sample_1/", "part_1/"},
    "register": {"NAME.ply", "NAME.csv", "NAME.json", "NAME.mrk.json", MEAN, REPORT, f"{MODEL}/"},
    "serve": set(),
    "demo": {f"SCAN/{name}" for name in (*RESULT_FILES, *DEFECT_FILES, *DETAIL_FILES)},
    "sample": {"face_0000.ply"},
    "train": {"model.json", "weights.safetensors", "state_00000/", "log/"},
}


def help_of(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def named_files(text):
    return set(re.findall(r"^  (\S+) {2,}\S", text.partition("files written to --out:\n")[2], re.MULTILINE))


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"facecom {facecom.__version__}\n"


def test_these_are_all_the_verbs(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert re.search(r"\{([a-z,]+)\}", capsys.readouterr().out)[1] == ",".join(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_one_example_and_it_parses(verb, capsys):
    examples = re.findall(r"^  (facecom .*)$", help_of(verb, capsys), re.MULTILINE)
    assert len(examples) == 1
    program, *arguments = shlex.split(examples[0])
    options = parser().parse_args(arguments)
    assert (program, options.verb) == ("facecom", verb)


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_the_output_files(verb, capsys):
    text = help_of(verb, capsys)
    assert named_files(text) == FILES[verb]
    assert ("files written: none" in text) == (verb == "serve")


def test_sample_writes_what_its_help_names(tmp_path, capsys):
    assert main(["sample", "--out", str(tmp_path), "--level", "0"]) == 0
    capsys.readouterr()
    assert {path.name for path in tmp_path.iterdir()} == named_files(help_of("sample", capsys))
    assert isinstance(read_scan(tmp_path / "face_0000.ply"), Mesh)


def test_the_demo_ends_with_the_paths_of_its_reports(tmp_path, monkeypatch, capsys, sheet):
    """One line a scan, each the path of a page that exists."""
    scans = tmp_path / "scans"
    scans.mkdir()
    for name in ("a.ply", "b.obj", "b.ply"):
        write_mesh(scans / name, sheet(2, 2))
    monkeypatch.setattr("facecom.commands.verbs.completed", lambda *_: None)
    monkeypatch.setattr("facecom.commands.verbs.table", lambda results: f"table of {len(results)}")
    monkeypatch.setattr(
        "facecom.commands.verbs.write_results",
        lambda result, folder, name: (folder / "report.html").write_text(name, encoding="utf-8"),
    )
    assert main(["demo", "--scans", str(scans), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "table of 3"
    pages = [line.strip() for line in lines[-3:]]
    assert pages == [str(tmp_path / "out" / name / "report.html") for name in ("a", "b.obj", "b.ply")]
    assert [Path(page).read_text(encoding="utf-8") for page in pages] == ["a.ply", "b.obj", "b.ply"]


def test_unknown_guidance_is_refused_before_any_work(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["complete", "scan.ply", "--out", "out", "--guidance", "someone/model"])
    assert ended.value.code == 2
    assert "--guidance" in capsys.readouterr().err
