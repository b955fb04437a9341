"""README and docs: code that says it runs is run, other Python is at least Python, and every link leads somewhere."""

import importlib.util
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import facecom

ROOT = Path(__file__).resolve().parent.parent
PAGES = [page for part in (ROOT.glob, (ROOT / "docs").rglob, (ROOT / "data").rglob) for page in sorted(part("*.md"))]
BLOCK = re.compile(r"^```python( run)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[bool, str]]:
    return [(bool(runs), code) for runs, code in BLOCK.findall(page.read_text())]


RUN = [page for page in PAGES if any(runs for runs, _ in blocks(page))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_code_that_says_it_runs_does(page, tmp_path):
    """The blocks of a page run one after the other in a folder of their own, warnings as errors, without network."""
    code = "\n".join(code for runs, code in blocks(page) if runs)
    quiet = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "no_proxy": "",
        "https_proxy": "http://127.0.0.1:9",
        "PYTHONWARNINGS": "error",
    }
    for name in ("examples", "data"):
        if (ROOT / name).exists():
            (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=quiet, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_are_python_and_links_lead_somewhere(page):
    for _, code in blocks(page):
        compile(code, str(page), "exec")
    text = page.read_text()
    assert text.count("```") % 2 == 0
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_some_code_is_run():
    assert len(RUN) >= 3


def test_every_page_is_reached_from_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"]({page.name})" in index, page.name


def test_the_architecture_page_shows_the_contracts():
    page = (ROOT / "docs" / "architecture.md").read_text()
    contract = re.search(r"^layers =\n((?:    .+\n)+)", (ROOT / "setup.cfg").read_text(), re.MULTILINE).group(1)
    wanted = contract.replace("(", "").replace(")", "")
    assert wanted in page


def test_the_reference_has_every_public_module(tmp_path):
    """The pages are made from the package at each build; Sphinx itself is not needed for this."""
    spec = importlib.util.spec_from_file_location("api_pages", ROOT / "docs" / "_site" / "api_pages.py")
    api_pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(api_pages)
    (tmp_path / "facecom.gone.rst").write_text("of a package that is no more")
    api_pages.write_pages(tmp_path)
    written = {page.stem: page.read_text() for page in tmp_path.glob("*.rst")}
    modules = {info.name for info in pkgutil.walk_packages(facecom.__path__, "facecom.")} - {"facecom.__main__"}
    packages = {name for name in modules if name.count(".") == 1}
    assert set(written) == {"index", "facecom", *packages}
    documented = set(re.findall(r"automodule:: (\S+)", "\n".join(written.values())))
    assert documented == {"facecom", *modules}
    named = set(re.findall(r"auto(?:function|class|data):: facecom\.(\w+)", written["facecom"]))
    assert named == set(facecom.__all__) - {"__version__"}
