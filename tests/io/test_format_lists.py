"""One list of formats: no place of the package has a list of its own that lacks some."""

import ast
from pathlib import Path

import pytest

from facecom.apps.isolation import reading
from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.uploads import read_upload
from facecom.commands.training import face_files
from facecom.errors import FacecomError
from facecom.io.files import CLOUDS, READABLE, SINGLE_FILES, WRITABLE

ROOT = Path(__file__).resolve().parents[2] / "facecom"
MOST = 2
"""A list of more extensions of scans than this is one of formats."""


def lists_of_formats(source: str) -> list[list[str]]:
    """The tuples, lists and sets of a module in which several extensions of scans stand."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            words = [one.value for one in node.elts if isinstance(one, ast.Constant) and one.value in READABLE]
            if len(words) > MOST:
                found.append(words)
    return found


def test_no_module_lists_formats_beside_the_readers():
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in ROOT.rglob("*.py")
        if path.parent != ROOT / "io" and (found := lists_of_formats(path.read_text(encoding="utf-8")))
    }
    assert wrong == {}


def test_such_a_list_would_be_found():
    assert lists_of_formats('SUFFIXES = (".ply", ".obj", ".stl")') == [[".ply", ".obj", ".stl"]]
    assert lists_of_formats('RESULTS = (".ply", ".json", ".png")') == []


def test_the_page_of_the_viewer_names_none_itself():
    for path in (ROOT / "assets").rglob("*.js"):
        assert not any(f'"{extension}"' in path.read_text(encoding="utf-8") for extension in READABLE)


@pytest.mark.parametrize("extension", SINGLE_FILES)
def test_the_viewer_takes_every_format_of_one_file(extension, monkeypatch):
    def call(task, folder, *, options, **_):
        """In this process: starting one for each format would take most of the time."""
        task(Path(folder), progress=lambda stage, share: None, **options)

    monkeypatch.setattr(reading, "run_isolated", call)
    with pytest.raises(FacecomError) as told:
        read_upload(f"a{extension}", b"no scan\n", limits=Limits())
    assert "none of" not in str(told.value)


def test_training_takes_every_format_that_holds_triangles(tmp_path):
    for extension in READABLE:
        (tmp_path / f"a{extension.upper()}").touch()
    found = {path.suffix.lower() for path in face_files(tmp_path)}
    assert found == set(READABLE) - set(CLOUDS)
    assert set(WRITABLE) <= found
