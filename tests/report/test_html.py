import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from facecom.geometry.correspondence import OrientedSurface
from facecom.provenance import Provenance
from facecom.report import viewer3d
from facecom.report.display_data import DisplayData
from facecom.report.html import report_html, unit_text

MOST_BYTES = 8_000_000
NASTY = "<script>alert(\"1\")</script> & 'ü'.ply"


class Page(HTMLParser):
    """Everything that a browser would load, and the words that a reader would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, name, attributes):
        if name not in ("meta", "link", "img", "br"):
            self.open.append(name)
        for key, value in attributes:
            if name == "a" and key == "href":
                self.links.append(value)
            elif key in ("src", "href", "srcset", "data", "action", "poster", "background") or key.startswith("on"):
                self.loaded.append((key, value or ""))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)


@pytest.fixture(scope="module")
def html(completion):
    return report_html(completion, name=NASTY, overview=np.full((40, 80, 3), 200, np.uint8))


def test_the_page_needs_nothing_but_itself(html):
    page = Page(html)
    assert len(page.loaded) > 10
    assert all(key in ("src", "href") and value.startswith("data:") for key, value in page.loaded)
    assert page.links and all(url.startswith("https://") for url in page.links)
    style = "".join(re.findall(r"<style>(.*?)</style>", html, re.DOTALL))
    assert style and "url(" not in style and "@import" not in style
    assert "default-src &#x27;none&#x27;" in html


def test_the_page_is_small_enough_to_be_mailed(html):
    assert 100_000 < len(html.encode()) < MOST_BYTES


def test_a_file_name_is_text_and_never_markup(html):
    assert NASTY not in html
    assert "<script>alert" not in html
    assert NASTY in Page(html).text


def test_the_page_shows_the_values_of_the_report(completion):
    report = replace(
        completion.report,
        unit="m",
        mm_per_unit=1000.0,
        score=0.4321,
        coverage=0.5712,
        fit_rms_mm=7.13,
        scan_to_face_mm={"all": 3.217, "nose": 5.891},
        observed_share=0.2345,
        made_up_share=0.7655,
        sigma_made_up_mm=8.42,
        holes_filled=97,
        removed={"loose_vertices": 12345},
        seconds={"align": 61.25, "fit": 13.5},
        seed=987654,
        versions={"facecom": "9.8.7", "numpy": "6.5.4"},
        warnings=("the <b>rim</b> is odd",),
        pose=((0.1234, 0, 0, 11.111), (0, 0.5678, 0, 22.222), (0, 0, 0.9012, 33.333), (0, 0, 0, 1)),
    )
    html = report_html(replace(completion, report=report), name="scan", overview=np.zeros((8, 8, 3), np.uint8))
    text = Page(html).text
    for figure in (
        "m (1000 mm each)", "43 %", "57 %", "7.13 mm", "3.217", "5.891", "23 %", "77 %", "8.42 mm", "97",
        "12,345 loose vertices", "61.25 s", "13.50 s", "74.8 s in all", "987654", "9.8.7", "6.5.4",
        "The <b>rim</b> is odd.", "0.1234", "0.5678", "0.9012", "11.111", "22.222", "33.333",
    ):  # fmt: skip
        assert figure in text, figure
    assert "<b>rim" not in html
    assert "not a medical device" in text


def test_each_stage_is_numbered_and_says_whether_it_took_part(html):
    text = Page(html).text
    titles = re.findall(r"(?<![\d.])(\d)\. [A-Z]", text)  # not the end of a version number
    assert titles == [str(k + 1) for k in range(len(titles))] and len(titles) >= 7
    assert text.count("took no part in this run") >= 2  # neither pictures nor pores
    for url in ("2406.02074", "2404.17255", "2408.09248", "jonathandinu/face-parsing", "9868.2011.00777"):
        assert url in html


def test_without_the_plotting_library_the_page_says_so(completion, monkeypatch):
    monkeypatch.setattr("facecom.report.html.script", lambda: None)
    html = report_html(completion, name="scan", overview=np.zeros((8, 8, 3), np.uint8))
    assert "install facecom[report]" in html
    assert "<script" not in html


@pytest.mark.slow
def test_guided_vertices_have_their_provenance_and_the_stage_shows_its_views(completion, guided):
    """None of what was observed, and all of it where inpainted pixels were; the stage shows their views."""
    plain, data = DisplayData(completion), DisplayData(guided)
    assert Provenance.GUIDED not in plain.present_provenance
    told = np.unique(guided.context.guidance.found.observations.corners)
    told = told[~data.observed[told]]
    assert len(told) > 5
    assert (data.provenance[told] == Provenance.GUIDED).all()
    assert (data.provenance[data.observed] == Provenance.OBSERVED).all()
    assert (data.merged_provenance == Provenance.GUIDED).any()
    page = report_html(guided, name="g", overview=np.zeros((4, 8, 3), np.uint8))
    words = Page(page).text
    assert "guided (made up, with an inpainted image)" in words
    assert "inpainted, view front" in words
    assert "observed by the parser, nose" in words
    assert "regions, view front" not in words
    assert page.count("data:image/jpeg") == 3 + report_html(
        completion, name="g", overview=np.zeros((4, 8, 3), np.uint8)
    ).count("data:image/jpeg")


@pytest.mark.slow
def test_colours_are_shown_where_the_scan_has_them(completion, html):
    """Filled in on what was made; a scan without any has no such button."""
    assert "As scanned" not in html
    assert viewer3d.scene(DisplayData(completion))["objects"]["face"]["colour"] is None
    scan = completion.context.scan
    mesh = scan.mm.mesh
    paint = np.tile([0.8, 0.4, 0.2], (len(mesh.vertices), 1))
    painted = replace(scan, mm=OrientedSurface(replace(mesh, colors=paint)))
    meshes = completion.face, completion.merged
    face, merged = (replace(m, colors=np.tile(paint[0], (len(m.vertices), 1))) for m in meshes)
    coloured = replace(completion, face=face, merged=merged, state=replace(completion.state, scan=painted))
    for name, packed in viewer3d.scene(DisplayData(coloured))["objects"].items():
        shown = np.frombuffer(b64decode(packed["colour"]["data"]), np.uint8).reshape(-1, 3)
        count = len(b64decode(packed["xyz"]["data"])) // 6
        assert len(shown) == count, name
        assert np.abs(shown - [204.0, 102.0, 51.0]).max() < 2, name
    page = report_html(coloured, name="c", overview=np.zeros((4, 8, 3), np.uint8))
    assert "As scanned" in page
    assert "scan's colours, filled in on the patch" in Page(page).text


def test_a_unit_that_the_face_told_comes_with_its_standard_deviation(completion):
    told = replace(completion.report, unit="free", mm_per_unit=24.71, mm_per_unit_sigma=1.44)
    assert unit_text(told) == "none; 24.71 ± 1.4 mm each, from the size of the face"
    assert unit_text(replace(told, unit="inch", mm_per_unit=25.4, mm_per_unit_sigma=None)) == "inch (25.4 mm each)"
