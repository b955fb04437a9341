"""Open report pages in a headless Chromium as people would, and say what is wrong with them.

    python benchmarks/report_pages.py DIR/report.html ... [--pictures FOLDER] [--sheets docs/images]

Each page is opened from its file, with every request noted, at the width of a desk and of a phone; each button is
clicked and must change the picture, and the page is printed. It fails, with the list, where the console held an error,
anything was asked of a network, a button did nothing, the page is wider than a phone, or the file is larger than 8 MB.
Chromium is Debian's (apt-get install chromium), driven by playwright. With --sheets, one picture for each page is put
together from its screenshots: report_DIR.png.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facecom.errors import need

MOST_BYTES = 8_000_000
DESK, PHONE, SHEET = (1100, 900), (390, 844), (794, 1123)
"""Pixels: a window, a phone held upright, A4 at 96 to the inch."""
PATIENCE_MS = 180_000
"""A machine without a graphics card draws slowly, a busy one slower still."""
FLAGS = ("--no-sandbox", "--enable-unsafe-swiftshader", "--use-angle=swiftshader")


@dataclass(frozen=True)
class Checked:
    """problems : sentences, none where all is well; clicked : buttons that changed the picture; sheets : printed."""

    problems: tuple[str, ...]
    clicked: tuple[str, ...]
    sheets: int


def chromium() -> str | None:
    """Where the browser is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium.

    Raises
    ------
    MissingDependency
        When playwright is not installed.
    ValueError
        When Chromium is not.
    """
    drive = need("playwright.sync_api").sync_playwright
    path = chromium()
    if path is None:
        raise ValueError("there is no Chromium on this machine; apt-get install chromium")
    with drive() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield opened
        finally:
            opened.close()


def check(chrome: Any, file: Path, *, pictures: Path | None = None) -> Checked:
    """Open a page in every way; screenshots go into a folder as desk.png, each button's, phone.png and print.png."""
    problems: list[str] = []
    size = file.stat().st_size
    if size > MOST_BYTES:
        problems.append(f"{file} has {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:g}")

    def kept(name: str) -> dict[str, str]:
        return {"path": str(pictures / f"{name}.png")} if pictures else {}

    with opened(chrome, file, DESK, problems) as page:
        page.screenshot(**kept("desk"))
        clicked = tuple(_click_all(page, problems, kept))
    with opened(chrome, file, PHONE, problems, is_mobile=True, has_touch=True) as page:
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > PHONE[0]:
            problems.append(f"{file} is {wide} pixels wide on a phone of {PHONE[0]}")
        page.screenshot(**kept("phone"))
    with opened(chrome, file, SHEET, problems) as page:
        page.emulate_media(media="print")
        page.screenshot(**kept("print"))
        sheets = page.pdf(format="A4").count(b"/Type /Page\n")
    return Checked(tuple(dict.fromkeys(problems)), clicked, sheets)


@contextmanager
def opened(chrome: Any, file: Path, size: tuple[int, int], problems: list[str], **more: Any) -> Iterator[Any]:
    """The page, drawn; whatever it complains of and asks for is added to the problems."""
    context = chrome.new_context(viewport={"width": size[0], "height": size[1]}, **more)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", lambda said: problems.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))

    def note(request: Any) -> None:
        if not request.url.startswith(("data:", "blob:", file.resolve().as_uri())):
            problems.append(f"asked for {request.url}")

    page.on("request", note)
    try:
        page.goto(file.resolve().as_uri())
        page.wait_for_selector('#view[data-ready="true"]', state="attached")
        yield page
    finally:
        context.close()


def _click_all(page: Any, problems: list[str], kept: Callable[[str], dict[str, str]]) -> Iterator[str]:
    """Click every button of the view in turn; names of those that changed what is seen."""
    view = page.locator("#view")
    view.scroll_into_view_if_needed()
    before = drawn(view)
    for button in page.locator("button[data-key]").all():
        key, value, pressed = (button.get_attribute(f) for f in ("data-key", "data-value", "aria-pressed"))
        name = f"{key} {value}"
        button.click()
        if button.get_attribute("aria-pressed") != "true":
            problems.append(f"button {name} does not stay pressed")
        after = drawn(view, unlike=None if pressed == "true" else before)
        if key == "colour":
            page.screenshot(**kept(f"colour_{value}"))
            if value == "plain" and colourful(after) > 0.01:
                problems.append("the plain view has colours left over")
        if pressed != "true" and after == before:
            problems.append(f"button {name} changes nothing")
        else:
            yield name
        before = after


def drawn(view: Any, *, unlike: bytes | None = None) -> bytes:
    """The view's pixels, once they have changed or stayed for long enough."""
    seen = view.screenshot()
    for _ in range(20):
        if unlike is None or seen != unlike:
            break
        view.page.wait_for_timeout(250)
        seen = view.screenshot()
    return seen


def colourful(png: bytes) -> float:
    """Share of the pixels that are not some grey."""
    pixels = np.asarray(need("PIL.Image").open(io.BytesIO(png)).convert("RGB"), np.int16)
    return float((np.ptp(pixels, axis=2) > 40).mean())


def sheet(folder: Path, out: Path) -> None:
    """Put the screenshots of a page together: desk, phone and print above, the colourings of the view below."""
    image = need("PIL.Image")

    def row(names: Sequence[str], crop: tuple[int, int, int, int] | None, high: int) -> list[Any]:
        shots = [image.open(folder / f"{name}.png").convert("RGB") for name in names]
        shots = [shot.crop(crop) if crop else shot for shot in shots]
        return [shot.resize((round(shot.width * high / shot.height), high), image.LANCZOS) for shot in shots]

    above = row(("desk", "phone", "print"), None, 560)
    keys = ("provenance", "sigma", "distance", "colour" if (folder / "colour_colour.png").exists() else "plain")
    below = row([f"colour_{key}" for key in keys], (190, 340, 1070, 890), 212)
    wide = max(sum(shot.width + 10 for shot in shots) for shots in (above, below)) - 10
    paper = image.new("RGB", (wide, above[0].height + below[0].height + 10), (225, 228, 232))
    for shots, top in ((above, 0), (below, above[0].height + 10)):
        left = 0
        for shot in shots:
            paper.paste(shot, (left, top))
            left += shot.width + 10
    paper.quantize(160, dither=image.Dither.NONE).save(out, optimize=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the pages; 1 where something is wrong with one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path, nargs="+", help="report.html of completed scans")
    parser.add_argument("--pictures", type=Path, help="folder for screenshots, one folder within for each page")
    parser.add_argument("--sheets", type=Path, help="folder for one picture put together for each page")
    options = parser.parse_args(arguments)
    if options.sheets and not options.pictures:
        parser.error("--sheets puts together what --pictures keeps; give both")
    wrong = 0
    with browser() as chrome:
        for page in options.pages:
            folder = options.pictures / page.resolve().parent.name if options.pictures else None
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
            found = check(chrome, page, pictures=folder)
            wrong += len(found.problems)
            if folder and options.sheets:
                sheet(folder, options.sheets / f"report_{folder.name}.png")
            print(f"{page}: {page.stat().st_size / 1e6:.2f} MB, {len(found.clicked)} buttons, {found.sheets} sheets")
            print(*(f"  {problem}" for problem in found.problems or ("nothing wrong",)), sep="\n", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
