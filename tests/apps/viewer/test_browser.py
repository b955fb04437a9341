"""The viewer in a real Chromium, where there is one: upload, paint, complete, drag, other faces, download."""

import base64
import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("viser", reason="the viewer extra is not installed")
pytest.importorskip("playwright", reason="the dev extra is not installed")

from playwright.sync_api import Page, expect, sync_playwright

from facecom.apps.viewer import Limits, viewer
from facecom.io.writers import ply_bytes
from facecom.scan.mark_sources import read_marks

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
PATIENCE_MS = 120_000
"""Drawing without a graphics card on a machine that has other work."""
MARGIN = 40
expect.set_options(timeout=PATIENCE_MS)

# what the browser leaves open when it is closed is not ours, and what is told to a page that has just gone is lost
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Queued a "),
]


@pytest.fixture(scope="module")
def served(chromium, small_model):
    """A browser and the address of a viewer."""
    with viewer(port=0, model=small_model) as running, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser, running.address
        browser.close()


@pytest.fixture
def page(served):
    browser, address = served
    page = browser.new_page(viewport={"width": 760, "height": 480}, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    yield page
    page.close()


def drop(page: Page, name: str, content: bytes, *, ready: bool = True) -> None:
    """Drop a file on the page, as a hand would."""
    if ready:
        page.locator("input[type=file]").wait_for(state="attached")
    page.evaluate(
        """([name, text]) => {
            const files = new DataTransfer();
            files.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
            document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true}));
        }""",
        [name, base64.b64encode(content).decode()],
    )


def choose(page: Page, label: str, value: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=value, exact=True).click()


def field(page: Page, label: str):
    """The field beside a slider."""
    return page.locator(f'xpath=//*[normalize-space(text())="{label}"]/ancestor::*[.//input][1]//input').last


def picture(page: Page) -> np.ndarray:
    """The canvas as it is once it no longer changes, (H, W, 3)."""
    wide = int(page.locator("canvas").first.bounding_box()["width"])
    last = np.zeros(0)
    for _ in range(60):
        shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)[:, :wide]
        if np.array_equal(shot, last):
            return shot
        last = shot
        page.wait_for_timeout(700)
    raise AssertionError("the picture never came to rest")


def pixels(page: Page, wanted) -> np.ndarray:
    """Places (N, 2) of the canvas whose colour is one that is wanted; waits until there are some."""
    for _ in range(10):
        # the margin holds viser's word on drawing without a graphics card
        rows, columns = np.nonzero(wanted(*np.moveaxis(picture(page)[:, MARGIN:], 2, 0)))
        if len(rows) > 20:
            return np.stack([columns + MARGIN, rows], axis=1)
    raise AssertionError("the picture never held what it should")


def orange(r, g, b):
    return (r > g + 40) & (g > b + 30)


def purple(r, g, b):
    return (r > g + 60) & (b > g + 20)


def teal(r, g, b):
    return (g > r + 50) & (b > r + 40)


def drag(page: Page, start, end) -> None:
    page.mouse.move(*start)
    page.wait_for_timeout(300)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()


def test_from_upload_to_download(page, scan, tmp_path):
    heard, asked = [], []
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    expect(page.get_by_text("Upload a scan, or drop it anywhere")).to_be_visible()

    drop(page, "letter.docx", b"Dear Sir or Madam")
    expect(page.locator("#facecom-note")).to_contain_text("This is none of")
    drop(page, "my scan.ply", ply_bytes(scan))
    expect(page.get_by_text("my_scan.ply: done")).to_be_visible()
    missing = pixels(page, orange).mean(axis=0)

    choose(page, "Pointer", "mark as missing")
    expect(page.get_by_text("paint on the scan")).to_be_visible()
    drag(page, missing + [45, 10], missing + [55, 14])
    told = page.get_by_text("vertices of the scan marked as missing")
    expect(told).to_be_visible()
    assert int(told.inner_text().split()[0]) > 10
    assert len(pixels(page, purple)) > 20
    page.get_by_role("button", name="Undo last stroke").click()
    expect(page.get_by_text("0 vertices of the scan marked as missing")).to_be_visible()
    save_and_load_doubted_marks(page, [missing + [45, 10], missing + [55, 14]], tmp_path / "marks.json")

    page.get_by_role("button", name="Complete", exact=True).click()
    expect(page.get_by_text("completion: done")).to_be_visible()
    made, before = pixels(page, orange), picture(page)

    choose(page, "Layer", "sigma")
    expect(page.get_by_text("standard deviation: light 0 mm")).to_be_visible()
    choose(page, "Layer", "provenance")

    choose(page, "Landmark", "nose_bridge_4")
    arrow = pixels(page, lambda r, g, b: (r > 220) & (g < 90) & (b > 60) & (b < 150))
    tip = arrow[np.argsort(arrow[:, 0])[-12:]].mean(axis=0) - [3, 0]
    drag(page, tip, tip + [8, 0])
    told = page.get_by_text("nose_bridge_4 dragged; refit and drawn in")
    expect(told.first).to_be_visible()
    assert float(re.search(r"in ([\d.]+) s", told.first.inner_text())[1]) < 3.0
    choose(page, "Landmark", "none")
    change = np.abs(picture(page) - before)[made[:, 1], made[:, 0]]
    assert change.mean() > 3.0

    field(page, "Other faces").fill("2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("face 2 of 8 drawn at random")).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name="Results (zip)").click()
    download.value.save_as(tmp_path / "results.zip")
    assert download.value.suggested_filename == "my_scan_results.zip"
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        assert set(archive.namelist()) == {"face.ply", "merged.ply", "patch.ply", "report.json", "report.html"}

    assert heard == []
    own = page.url.rpartition("/")[0]
    assert [url for url in asked if not url.startswith((own, f"blob:{own}", "data:"))] == []


def save_and_load_doubted_marks(page, stroke, path):
    """Marks of the other kind, as a file and back."""
    choose(page, "Pointer", "mark as doubted")
    expect(page.get_by_text("paint on the scan")).to_be_visible()
    drag(page, *stroke)
    doubted = page.get_by_text(re.compile(r"marked as missing, \d+ as doubted"))
    expect(doubted).to_be_visible()
    assert len(pixels(page, teal)) > 20
    page.get_by_text("Marks as a file or by name").click()
    choose(page, "They mark", "doubted")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save marks").click()
    download.value.save_as(path)
    assert download.value.suggested_filename == "my_scan_doubted.json"
    assert 10 < len(read_marks(path).points) == int(re.search(r"(\d+) as doubted", doubted.inner_text())[1])
    page.get_by_role("button", name="Take all marks back").click()
    expect(doubted).to_have_count(0)
    page.locator("input[type=file]").nth(1).set_input_files(path)
    expect(page.get_by_text("marks.json: done")).to_be_visible()
    assert len(pixels(page, teal)) > 20
    page.get_by_role("button", name="Take all marks back").click()
    choose(page, "Pointer", "turn the view")


def blue(r, g, b):
    return (b > r + 40) & (b > g + 15)


def test_the_found_region_is_corrected_and_a_reload_loses_nothing(page, scan):
    drop(page, "mine.ply", ply_bytes(scan))
    expect(page.get_by_text("mine.ply: done")).to_be_visible()
    page.wait_for_timeout(3000)  # the first pictures are of a scene that is still being sent
    places = pixels(page, orange)
    inside = np.median(places, axis=0)

    choose(page, "Pointer", "leave open")
    expect(page.get_by_text("paint on the scan")).to_be_visible()
    drag(page, inside, inside + [10, 4])
    told = page.get_by_text("of what was found missing is to stay open")
    expect(told).to_be_visible()
    share = int(re.search(r"(\d+)%", told.inner_text())[1])
    assert 5 < share < 95
    open_before, left_before = len(pixels(page, blue)), len(pixels(page, orange))
    assert left_before < len(places)

    address = page.url
    page.reload()
    expect(page.get_by_role("button", name="Complete", exact=True)).to_be_visible()
    assert page.url == address
    assert len(pixels(page, blue)) == pytest.approx(open_before, rel=0.2)
    assert np.median(pixels(page, orange), axis=0) == pytest.approx(inside, abs=15)  # seen from the front again

    page.get_by_role("button", name="Complete", exact=True).click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.reload()  # the job goes on
    expect(page.get_by_text("completion: done")).to_be_visible()
    expect(page.get_by_role("button", name="Results (zip)")).to_be_visible()
    assert len(pixels(page, orange)) > 20
    page.reload()
    expect(page.get_by_role("button", name="Results (zip)")).to_be_visible()
    assert len(pixels(page, orange)) > 20


def test_a_file_that_is_dropped_before_the_page_is_ready_is_not_lost(served, scan):
    page = served[0].new_page(viewport={"width": 500, "height": 400}, reduced_motion="reduce")
    page.goto(served[1], wait_until="commit")
    page.wait_for_function("document.body && window.facecomSettings")
    drop(page, "early.ply", ply_bytes(scan), ready=False)
    expect(page.get_by_text("early.ply: done")).to_be_visible()
    page.close()


def test_the_panel_of_a_phone_leaves_the_face_to_be_seen(served, scan):
    phone = served[0].new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = phone.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(served[1])
    drop(page, "mine.ply", ply_bytes(scan))
    expect(page.get_by_text("mine.ply: done")).to_be_visible()
    page.wait_for_function("document.querySelector('canvas').getBoundingClientRect().height < innerHeight - 100")
    canvas = page.locator("canvas").first.bounding_box()
    assert canvas["height"] > 0.5 * 844
    assert canvas["y"] + canvas["height"] <= page.get_by_text("facecom", exact=True).bounding_box()["y"]
    choose(page, "Pointer", "mark as missing")
    expect(page.get_by_text("paint on the scan")).to_be_visible()
    phone.close()


def test_a_page_without_its_server_or_without_room_says_so(served, small_model):
    with viewer(port=0, model=small_model, limits=Limits(sessions=1)) as running:
        first = served[0].new_page(viewport={"width": 500, "height": 400})
        first.goto(running.address)
        expect(first.get_by_text("Upload a scan, or drop it anywhere")).to_be_visible()
        second = served[0].new_page(viewport={"width": 500, "height": 400})
        second.goto(running.address)
        note = second.locator("#facecom-connection")
        expect(note).to_contain_text("As many pages are open as there may be (1)")
        assert first.locator("#facecom-connection").count() == 0
        first.close()
        expect(second.get_by_text("Upload a scan, or drop it anywhere")).to_be_visible()
        expect(note).to_have_count(0)
    expect(note).to_contain_text("The server does not answer")
    second.close()


def test_two_visitors_see_nothing_of_each_other(page, served, scan):
    drop(page, "mine.ply", ply_bytes(scan))
    expect(page.get_by_text("mine.ply").first).to_be_visible()
    other = served[0].new_page(viewport={"width": 500, "height": 400})
    other.goto(page.url)  # the same address in another browser
    expect(other.get_by_text("Upload a scan, or drop it anywhere")).to_be_visible()
    expect(page.get_by_text("mine.ply: done")).to_be_visible()
    assert other.get_by_text("mine.ply").count() == 0
    assert other.get_by_text("What is missing").count() == 0
    other.close()
