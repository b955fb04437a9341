"""explain.json, explain.html and the text in the terminal hold the same values."""

import re
from dataclasses import replace
from html import escape

import numpy as np
import pytest

from facecom.report.explain import explain_html, explain_json, explain_text
from facecom.report.summary import summarise


def test_page_text_and_json_hold_the_same_values(ablation):
    values = explain_json(ablation)
    html, text = explain_html(ablation, name="<b>.ply"), explain_text(ablation)
    assert [entry["left_out"] for entry in values["variants"]] == [r.variant.name for r in ablation.results]
    for entry in values["variants"]:
        for key in ("held_out_error_mm", "rim_step_mm"):
            assert f"{entry[key]:.3f}" in html and f"{entry[key]:.3f}" in text
        for value in (*entry["face_to_scan_mm"].values(), *entry["change_of_made_up_part_mm"].values()):
            assert f"{value:.3f}" in html
        assert escape(entry["replacement"]) in html
    assert values["summary"] == list(summarise(ablation))
    for sentence in values["summary"]:
        assert escape(sentence) in html and sentence in text


def test_the_page_needs_no_other_file_and_escapes_the_name(ablation):
    html = explain_html(ablation, name="<b>.ply")
    assert "<b>.ply" not in html and "&lt;b&gt;.ply" in html
    # pictures are base64, which may spell "http" by chance but knows no colon
    links = re.findall(r'<a href="(https://[^"]+)"', html)
    assert html.count("http") - len(re.findall(r"http[^:s]|https[^:]", html)) == len(links)
    for paper in ("arxiv.org/abs/2406.02074", "jonathandinu/face-parsing", "2404.17255", "2408.09248"):
        assert any(paper in url for url in links)
    assert len(html) < 2_000_000


@pytest.mark.slow
def test_what_is_not_defined_is_null_and_none(ablation):
    """Without a held-out region there is no error; a variant that failed is named with its problem and not drawn."""
    failed = replace(
        ablation.results[1],
        vertices=np.full_like(ablation.results[1].vertices, np.nan),
        change_mm={},
        to_scan_mm={},
        held_out_mm=np.nan,
        problem="too little is observed",
    )
    without = replace(ablation, results=(ablation.results[0], failed, *ablation.results[2:]))
    without = replace(without, held_out=np.zeros_like(ablation.held_out), held_out_radius_mm=0.0)
    entry = explain_json(without)["variants"][1]
    assert entry["held_out_error_mm"] is None and entry["problem"] == "too little is observed"
    html = explain_html(without, name="scan")
    assert "It failed: too little is observed." in html and "No observed region" in html
    assert html.count("data:image/jpeg") == explain_html(ablation, name="scan").count("data:image/jpeg") - 2
    assert "none" in explain_text(without)


def test_without_skin_relief_the_page_says_so(ablation):
    assert explain_json(ablation)["relief"] == {}
    assert "none to leave out" in explain_html(ablation, name="scan")
