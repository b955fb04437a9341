"""The page in a real browser, where there is one."""

import importlib
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from facecom.report.html import report_html

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--use-angle=swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--enable-logging=stderr",
    "--virtual-time-budget=20000", "--window-size=800,600",
)  # fmt: skip

pytestmark = pytest.mark.slow


def opened(chromium: str, html: str, folder) -> tuple[str, list[str]]:
    """The page as it stands after its scripts ran, and what they said to the console."""
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    done = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, [line for line in said if re.search(r"Uncaught|Refused|[Ee]rror|violates", line)]


def test_the_view_is_drawn_and_the_console_is_quiet(chromium, completion, tmp_path):
    html = report_html(completion, name="scan", overview=np.zeros((8, 8, 3), np.uint8))
    dom, errors = opened(chromium, html, tmp_path)
    assert not errors
    assert re.search(r'<div id="view"[^>]*data-ready="true"', dom)
    assert "<canvas" in dom


def test_a_broken_script_is_heard(chromium, tmp_path):
    assert opened(chromium, "<!doctype html><script>nothing.at.all()</script>", tmp_path)[1]


@pytest.fixture
def pages(monkeypatch):
    """The script that opens report pages as people do."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    return importlib.import_module("report_pages")


def test_the_colours_of_one_view_do_not_stay_in_the_next(chromium, pages, completion, tmp_path):
    """Plotly keeps the colours of a mesh that is given others of another sort."""
    file, problems = tmp_path / "report.html", []
    file.write_text(report_html(completion, name="scan", overview=np.zeros((8, 8, 3), np.uint8)), encoding="utf-8")
    with pages.browser() as chrome, pages.opened(chrome, file, (700, 600), problems) as page:
        view, before = page.locator("#view"), b""
        shares = {}
        for value in ("scan+patch", "plain", "provenance"):
            page.locator(f'button[data-value="{value}"]').click()
            before = pages.drawn(view, unlike=before)
            shares[value] = pages.colourful(before)
        scale = page.locator("#scale")
        assert scale.is_hidden()
        for value in ("sigma", "distance"):
            page.locator(f'button[data-value="{value}"]').click()
            assert re.search(r"^0 +[\d.]+ mm and more; grey", scale.inner_text())
            assert "linear-gradient" in scale.locator("i").evaluate("e => getComputedStyle(e).backgroundImage")
        assert page.locator(".colorbar").count() == 0
    assert not problems
    assert shares["plain"] < 0.001 < 0.02 < shares["provenance"]
