"""The pictures of docs/viewer.md and the seconds that its steps take, in a headless Chromium.

    python benchmarks/viewer_pictures.py [SCAN] [--out docs/images] [--relief]

Needs facecom[viewer,dev] and Chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facecom.apps.viewer import viewer

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
WIDTH, HEIGHT = 1160, 720
PATIENCE_MS = 300_000


class Hand:
    """A hand on the page, with a watch and a camera."""

    def __init__(self, page: Any, out: Path) -> None:
        self._page, self._out = page, out
        self._since = time.perf_counter()

    def done(self, words: str, what: str) -> str:
        """Wait until the page says these words; print how long the step took."""
        line = self._page.get_by_text(words).first
        line.wait_for()
        print(f"{what:28s} {time.perf_counter() - self._since:6.2f} s   {line.inner_text()}", flush=True)
        return line.inner_text()

    def begin(self) -> None:
        """Start the watch."""
        self._since = time.perf_counter()

    def press(self, button: str) -> None:
        """Press a button."""
        self.begin()
        self._page.get_by_role("button", name=button, exact=True).click()

    def choose(self, label: str, value: str) -> None:
        """Choose from a list."""
        self.begin()
        self._page.get_by_role("combobox", name=label).click()
        self._page.get_by_role("option", name=value, exact=True).click()

    def drag(self, start: Any, end: Any) -> None:
        """Drag the pointer."""
        self.begin()
        self._page.mouse.move(*start)
        self._page.wait_for_timeout(500)
        self._page.mouse.down()
        self._page.mouse.move(*end, steps=8)
        self._page.mouse.up()

    def look(self) -> np.ndarray:
        """The page once it no longer changes, (H, W, 3)."""
        last = np.zeros(0)
        for _ in range(60):
            shot = np.asarray(Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")).astype(int)
            if np.array_equal(shot, last):
                break
            last = shot
            self._page.wait_for_timeout(800)
        return last

    def keep(self, name: str) -> None:
        """Keep a picture of the page."""
        Image.fromarray(self.look().astype(np.uint8)).quantize(200).save(
            self._out / f"viewer_{name}.png", optimize=True
        )


def arrow(shot: np.ndarray) -> np.ndarray:
    """The tip of the handle's red arrow."""
    r, g, b = np.moveaxis(shot[:, : int(0.64 * WIDTH)], 2, 0)
    rows, columns = np.nonzero((r > 220) & (g < 90) & (b > 60) & (b < 150))
    tip = np.argsort(columns)[-12:]
    return np.array([columns[tip].mean() - 4, rows[tip].mean()])


def walk(page: Any, scan: Path, out: Path, *, relief: bool) -> None:
    """One visit from upload to download."""
    hand = Hand(page, out)
    page.get_by_text("drop it anywhere").wait_for()
    page.get_by_role("alert").get_by_role("button").click()  # viser's word on drawing without a graphics card
    hand.begin()
    page.set_input_files("input[type=file]", scan)
    hand.done(f"{scan.name}: done", "upload and find")
    hand.keep("found")
    hand.choose("Pointer", "mark as missing")
    hand.done("paint on the scan", "brush")
    middle = np.array([0.32 * WIDTH, 0.53 * HEIGHT])
    hand.drag(middle + [40, 45], middle + [70, 20])
    hand.done("vertices of the scan marked", "stroke of the brush")
    hand.done("light purple", "border of the mark")
    hand.choose("Pointer", "mark as doubted")
    hand.done("paint on the scan", "brush for doubted skin")
    hand.drag(middle + [-35, 45], middle + [-45, 10])
    hand.done("as doubted", "stroke of doubted skin")
    hand.choose("Pointer", "leave open")
    hand.done("paint on the scan", "brush for what is to stay open")
    hand.drag(middle + [12, -58], middle + [20, -46])
    hand.done("is to stay open", "stroke over the hole")
    hand.done("light teal", "borders")
    hand.keep("marked")
    hand.begin()
    page.reload()
    hand.done("is to stay open", "reload")
    page.get_by_role("alert").get_by_role("button").click()
    hand.press("Take all marks back")
    hand.press("Complete")
    hand.done("completion: done", "complete")
    hand.keep("result")
    hand.choose("Layer", "sigma")
    hand.done("standard deviation: light", "layer")
    hand.keep("sigma")
    hand.choose("Layer", "provenance")
    hand.choose("Landmark", "nose_bridge_4")
    tip = arrow(hand.look())
    hand.drag(tip, tip + [9, 0])
    hand.done("refit and drawn in", "drag")
    hand.keep("dragged")
    hand.press("Undo dragging")
    hand.choose("Landmark", "none")
    field = page.locator('xpath=//*[normalize-space(text())="Other faces"]/ancestor::*[.//input][1]//input').last
    hand.begin()
    field.fill("2")
    hand.done("drawn at random", "other faces, the first time")
    hand.begin()
    field.fill("3")
    hand.done("face 3 of", "other faces, then")
    field.fill("0")
    hand.done("the most likely face", "back")
    if relief:
        page.get_by_role("checkbox").check()
        hand.press("Complete")
        hand.done("completion: done", "complete with relief")
        hand.choose("Layer", "detail")
        hand.done("synthesised skin relief", "layer of relief")
        hand.keep("detail")
    hand.press("Design it")
    hand.done("prosthesis: done", "prosthesis")
    hand.keep("prosthesis")
    for name in ("Results (zip)", "Prosthesis (zip)"):
        hand.begin()
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        size = Path(download.value.path()).stat().st_size / 1e6
        print(f"{name:28s} {time.perf_counter() - hand._since:6.2f} s   {size:.1f} MB", flush=True)


def main() -> None:
    """Walk through the viewer with one scan."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path, nargs="?", default=Path("data/demo/nose.ply"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--relief", action="store_true", help="skin relief as well, and a picture of it")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with viewer(port=0) as running, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(PATIENCE_MS)
        since = time.perf_counter()
        page.goto(running.address)
        page.get_by_text("drop it anywhere").wait_for()
        print(f"{'page':28s} {time.perf_counter() - since:6.2f} s", flush=True)
        walk(page, options.scan, options.out, relief=options.relief)
        browser.close()


if __name__ == "__main__":
    main()
