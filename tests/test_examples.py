"""Each example runs as it stands, on tiny data where it says so, and each notebook is its script."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))
SMALLER = re.compile(r"^(\w+) = .*  # tests: (.+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_notebooks", ROOT / "examples" / "make_notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_examples_run(script, tmp_path):
    """In a folder of its own, without network; `NAME = value  # tests: other` is run with the other value."""
    code = SMALLER.sub(r"\1 = \2", script.read_text(encoding="utf-8"))
    (tmp_path / "data").symlink_to(ROOT / "data")
    shut = "http://127.0.0.1:9"
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "no_proxy": "", "https_proxy": shut, "http_proxy": shut}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**quiet, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "an example says what it found"


def test_every_notebook_is_its_script(maker):
    """After a change of a script: python examples/make_notebooks.py."""
    assert SCRIPTS
    made = {path.with_suffix(".ipynb").name for path in SCRIPTS}
    assert {p.name for p in (ROOT / "examples").glob("*.ipynb")} == made
    for script in SCRIPTS:
        assert script.with_suffix(".ipynb").read_text(encoding="utf-8") == maker.notebook_text(script), script.name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_notebook_holds_all_the_code(script, maker):
    book = json.loads(maker.notebook_text(script))
    assert (book["nbformat"], len({c["id"] for c in book["cells"]})) == (4, len(book["cells"]))
    cells = ["".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code"][1:]
    code = [line for line in script.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert [line for cell in cells for line in cell.splitlines() if line and not line.startswith("#")] == code
    for cell in cells:
        compile(cell, script.name, "exec")
