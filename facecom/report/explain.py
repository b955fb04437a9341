"""explain.html and explain.json: the effect of each stage on one scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from facecom.report.ablation import Ablation, VariantResult
from facecom.report.formatting import REGION_TITLES, mm
from facecom.report.html import DISCLAIMER, page_style, reading_list
from facecom.report.html_elements import page, picture, table, tag
from facecom.report.pictures import PictureRenderer
from facecom.report.relief import relief_by_region
from facecom.report.summary import QUESTION, summarise, summary_html

CHANGE_RANGE_MM = 1.0
"""End of the colour scale of the changes; one scale for all, so that the pictures can be compared."""
PICTURE_SIZE = 260
"""Pixels a side: two pictures of each of up to eight variants keep the page small."""


def explain_json(ablation: Ablation) -> dict[str, Any]:
    """All values of an ablation, ready for JSON; None where one is not defined."""
    displacement = ablation.data.result.report.guidance_mm
    return {
        "guidance_mm": None if displacement is None else dict(displacement),
        "held_out_radius_mm": ablation.held_out_radius_mm,
        "variants": [_variant_json(result) for result in ablation.results],
        "relief": {
            name: {
                "synthesised_mm": _finite(relief.synthesised_mm),
                "observed_mm": _finite(relief.observed_mm),
                "decibel": _finite(relief.decibel),
            }
            for name, relief in relief_by_region(ablation.data).items()
        },
        "summary": list(summarise(ablation)),
    }


def _variant_json(result: VariantResult) -> dict[str, Any]:
    return {
        "left_out": result.variant.name,
        "replacement": result.variant.replacement,
        "change_of_made_up_part_mm": dict(result.change_mm),
        "face_to_scan_mm": dict(result.to_scan_mm),
        "held_out_error_mm": _finite(result.held_out_mm),
        "rim_step_mm": _finite(result.rim_step_mm),
        "seconds": result.seconds,
        "problem": result.problem,
    }


def explain_html(ablation: Ablation, *, name: str) -> str:
    """The page of an ablation, which needs no other file: tables and pictures of the run with each stage left out."""
    body = [
        tag("h1", f"{name}: ablation"),
        tag(
            "p",
            "The fit and the projection were repeated on this scan with one stage left out at a time, always from the "
            "same pose. Lengths in millimetres.",
            kind="lead",
        ),
        tag("p", DISCLAIMER, kind="aid"),
        *summary_html(ablation),
        *_summary(ablation),
        *_regions(ablation),
        *_pictures(ablation),
        *_detail(ablation),
        *reading_list(),
    ]
    return page(f"{name}: facecom explain", body, style=page_style())


def explain_text(ablation: Ablation) -> str:
    """The ablation as lines for a terminal: a table, then the summary."""
    head = f"{'left out':28s} {'held out':>12s} {'scan':>8s} {'rim step':>8s} {'change':>8s}   mm"
    lines = [
        f"{result.variant.name:28s} {_length(result.held_out_mm):>12s} {_overall(result.to_scan_mm):>8s} "
        f"{_length(result.rim_step_mm):>8s} {_overall(result.change_mm):>8s}   {result.problem}".rstrip()
        for result in ablation.results
    ]
    return "\n".join([head, *lines, "", QUESTION, *(f"- {sentence}" for sentence in summarise(ablation))])


def _summary(ablation: Ablation) -> Iterator[str]:
    yield tag("h2", "Effect of each stage")
    held_out = (
        f"Error at the held-out region: a disc of {ablation.held_out_radius_mm:g} mm radius near the missing part was "
        "observed but withheld from the fit; the error is the mean distance to the scan there. It is the only value "
        "here that tells better from worse in a hole."
        if ablation.held_out.any()
        else "No observed region near the missing part was wide enough to be held out, so nothing here tells better "
        "from worse in the hole."
    )
    yield tag("p", held_out)
    columns = ("held-out error", "distance to the scan, observed part", "step at the rim", "change of the made-up part")
    rows = [
        (
            result.variant.name,
            _length(result.held_out_mm),
            _overall(result.to_scan_mm),
            _length(result.rim_step_mm),
            _overall(result.change_mm),
        )
        for result in ablation.results
    ]
    yield table(("left out", *columns), rows)
    yield "<ul>" + "".join(_line(result) for result in ablation.results) + "</ul>"


def _line(result: VariantResult) -> str:
    text = f"{result.variant.name}: {result.variant.replacement}."
    return tag("li", f"{text} It failed: {result.problem}." if result.problem else text)


def _regions(ablation: Ablation) -> Iterator[str]:
    titles = (
        ("Change of the made-up part by region", [result.change_mm for result in ablation.results]),
        ("Distance to the scan, observed part, by region", [result.to_scan_mm for result in ablation.results]),
    )
    for title, values in titles:
        names = [name for name in REGION_TITLES if any(name in v for v in values)]
        yield tag("h2", title)
        rows = [
            (result.variant.name, *(_length(v.get(name, np.nan)) for name in names))
            for result, v in zip(ablation.results, values, strict=True)
        ]
        yield table(("left out", *(REGION_TITLES[name] for name in names)), rows)


def _pictures(ablation: Ablation) -> Iterator[str]:
    data = ablation.data
    renderer = PictureRenderer.of(data, size=PICTURE_SIZE)
    full = ablation.results[0]
    yield tag("h2", "Pictures")
    yield tag(
        "p",
        f"Change against the full pipeline: blue inwards, red outwards, {CHANGE_RANGE_MM:g} mm and more at the ends.",
    )
    shown = []
    for result in ablation.results:
        if not np.isfinite(result.vertices).all():
            continue
        mesh = data.mean_face.with_vertices(result.vertices)
        title = "nothing left out" if result is full else f"without {result.variant.name}"
        shown.append(renderer.plain(mesh, title))
        if result is not full:
            shown.append(renderer.change(mesh, full.vertices, f"{title}: the change", span_mm=CHANGE_RANGE_MM))
    yield '<div class="pictures">' + "".join(picture(p.uri, p.caption) for p in shown) + "</div>"


def _detail(ablation: Ablation) -> Iterator[str]:
    yield tag("h2", "Skin detail")
    skin = ablation.data.result.detail
    if skin is None:
        yield tag("p", "No skin relief was synthesised in this run, so there is none to leave out.")
        return
    yield tag(
        "p",
        "Synthesised relief of the made-up part against the observed relief around it, of the same region. Without "
        f"the stage the made-up part has none. Spacing of the scan there: {mm(skin.bands.spacing_mm)}.",
    )
    rows = [
        (REGION_TITLES.get(name, name), mm(relief.synthesised_mm), mm(relief.observed_mm), relief.text, "none")
        for name, relief in relief_by_region(ablation.data).items()
    ]
    yield table(("region", "synthesised", "observed", "synthesised over observed", "without the stage"), rows)


def _overall(by_region: Mapping[str, float]) -> str:
    return _length(by_region.get("all", np.nan))


def _length(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "none"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
