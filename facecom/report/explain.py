"""explain.html and explain.json: what each stage is worth on one scan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from facecom.report.ablation import Ablation, Outcome
from facecom.report.formatting import REGION_TITLES, mm
from facecom.report.html import AID, page_style, reading
from facecom.report.html_elements import page, picture, table, tag
from facecom.report.pictures import Painter
from facecom.report.relief import relief_by_region
from facecom.report.summary import QUESTION, answer, answer_html

_SPAN_MM = 1.0


def explain_json(ablation: Ablation) -> dict[str, Any]:
    """All figures of an ablation, ready for JSON; None where there is none."""
    moved = ablation.layers.result.report.guidance_mm
    return {
        "moved_by_pictures_mm": None if moved is None else dict(moved),
        "hidden_radius_mm": ablation.hidden_radius_mm,
        "without": [
            {
                "left_out": outcome.leaving.name,
                "instead": outcome.leaving.instead,
                "change_of_made_part_mm": dict(outcome.change_mm),
                "face_to_scan_mm": dict(outcome.to_scan_mm),
                "hidden_place_error_mm": _finite(outcome.hidden_mm),
                "rim_gap_mm": _finite(outcome.rim_gap_mm),
                "seconds": outcome.seconds,
                "problem": outcome.problem,
            }
            for outcome in ablation.outcomes
        ],
        "relief": {
            name: {"made_mm": _finite(r.made_mm), "measured_mm": _finite(r.measured_mm), "decibel": _finite(r.decibel)}
            for name, r in relief_by_region(ablation.layers).items()
        },
        "answer": list(answer(ablation)),
    }


def explain_html(ablation: Ablation, *, name: str) -> str:
    """One page that needs no other file: tables and pictures of the job with each stage left out."""
    body = [
        tag("h1", f"{name}: what each stage is worth"),
        tag(
            "p",
            "The fit and the projection were repeated on this scan with one stage left out at a time, always from the "
            "same pose. Lengths in millimetres.",
            kind="lead",
        ),
        tag("p", AID, kind="aid"),
        *answer_html(ablation),
        *_summary(ablation),
        *_regions(ablation),
        *_pictures(ablation),
        *_detail(ablation),
        *reading(),
    ]
    return page(f"{name}: facecom explain", body, style=page_style())


def explain_text(ablation: Ablation) -> str:
    """The summary as lines for a terminal."""
    head = f"{'left out':28s} {'hidden place':>12s} {'scan':>8s} {'rim gap':>8s} {'change':>8s}   mm"
    lines = [
        f"{o.leaving.name:28s} {_length(o.hidden_mm):>12s} {_length(o.to_scan_mm.get('all', np.nan)):>8s} "
        f"{_length(o.rim_gap_mm):>8s} {_length(o.change_mm.get('all', np.nan)):>8s}   {o.problem}".rstrip()
        for o in ablation.outcomes
    ]
    return "\n".join([head, *lines, "", QUESTION, *(f"- {sentence}" for sentence in answer(ablation))])


def _summary(ablation: Ablation) -> Iterator[str]:
    yield tag("h2", "What is lost")
    blind = (
        f"Error at a hidden place: a disc of {ablation.hidden_radius_mm:g} mm radius, near the missing part, was seen "
        "by the scanner but kept from the job; the figure is the mean distance to what the scanner saw there. It is "
        "the only figure here that tells better from worse in a hole."
        if ablation.hidden.any()
        else "No seen place near the missing part was wide enough to be hidden, so nothing here tells better from "
        "worse in the hole."
    )
    yield tag("p", blind)
    yield table(
        (
            "left out",
            "error at the hidden place",
            "distance to the scan, seen part",
            "gap at the rim",
            "change of the made part",
        ),
        [
            (
                o.leaving.name,
                _length(o.hidden_mm),
                _length(o.to_scan_mm.get("all", np.nan)),
                _length(o.rim_gap_mm),
                _length(o.change_mm.get("all", np.nan)),
            )
            for o in ablation.outcomes
        ],
    )
    yield "<ul>" + "".join(_line(o) for o in ablation.outcomes) + "</ul>"


def _line(outcome: Outcome) -> str:
    text = f"{outcome.leaving.name}: {outcome.leaving.instead}."
    return tag("li", f"{text} It failed: {outcome.problem}." if outcome.problem else text)


def _regions(ablation: Ablation) -> Iterator[str]:
    titles = (
        ("Change of the made part by region", [o.change_mm for o in ablation.outcomes]),
        ("Distance to the scan where it was seen, by region", [o.to_scan_mm for o in ablation.outcomes]),
    )
    for title, values in titles:
        names = [name for name in REGION_TITLES if any(name in v for v in values)]
        yield tag("h2", title)
        rows = [
            (o.leaving.name, *(_length(v.get(name, np.nan)) for name in names))
            for o, v in zip(ablation.outcomes, values, strict=True)
        ]
        yield table(("left out", *(REGION_TITLES[name] for name in names)), rows)


def _pictures(ablation: Ablation) -> Iterator[str]:
    layers = ablation.layers
    painter = Painter.of(layers, size=260)
    whole = ablation.outcomes[0]
    yield tag("h2", "Pictures")
    yield tag(
        "p", f"Blue: further in than the whole job's face, red: further out, {_SPAN_MM:g} mm and more at the ends."
    )
    shown = []
    for outcome in ablation.outcomes:
        if not np.isfinite(outcome.vertices).all():
            continue
        mesh = layers.mean.with_vertices(outcome.vertices)
        title = "nothing left out" if outcome is whole else f"without {outcome.leaving.name}"
        shown.append(painter.plain(mesh, title))
        if outcome is not whole:
            shown.append(painter.change(mesh, whole.vertices, f"{title}: the change", span_mm=_SPAN_MM))
    yield '<div class="pictures">' + "".join(picture(p.uri, p.caption) for p in shown) + "</div>"


def _detail(ablation: Ablation) -> Iterator[str]:
    yield tag("h2", "Skin detail")
    skin = ablation.layers.result.detail
    if skin is None:
        yield tag("p", "No skin detail was made in this run, so there is none to leave out.")
        return
    yield tag(
        "p",
        "Relief of the made part against the seen skin beside it, of the same region. Without the stage the made part "
        f"has none. Spacing of the scan there: {mm(skin.bands.spacing_mm)}.",
    )
    rows = [
        (REGION_TITLES.get(name, name), mm(r.made_mm), mm(r.measured_mm), r.text, "none")
        for name, r in relief_by_region(ablation.layers).items()
    ]
    yield table(("region", "made", "measured", "made over measured", "without the stage"), rows)


def _length(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "none"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
