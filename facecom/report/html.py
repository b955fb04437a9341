"""report.html: one file that shows a completion and says how it came about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources

import numpy as np

from facecom.completion import Completion
from facecom.report import colors, references
from facecom.report.display_data import KIND_COLOURS, KIND_NAMES, DisplayData
from facecom.report.formatting import REGION_TITLES, mm, percent
from facecom.report.html_elements import bars, link, page, pairs, picture, table, tag
from facecom.report.pictures import Picture, jpeg_bytes
from facecom.report.preview import preview
from facecom.report.shading import Image
from facecom.report.stage_summaries import StageSummary, stage_summaries
from facecom.report.viewer3d import json_for_script, scene, script, viewer_source

AID = (
    "This is an aid for design and research, not a medical device. What is marked as made up is a guess from "
    "statistics of other faces: check it before anything is made from it."
)


def report_html(result: Completion, *, name: str, overview: Image | None = None) -> str:
    """Write the page about a completion; it needs no other file and no network.

    Parameters
    ----------
    result : Completion
    name : str, of the scan, for the title
    overview : (H, W, 3) uint8, what `draw_overview` drew of this completion; drawn here unless given

    Returns
    -------
    str, HTML
    """
    layers = DisplayData(result)
    if overview is None:
        overview = draw_overview(result)
    stages = stage_summaries(layers)
    body = [
        *_head(layers, name),
        *_view(layers),
        *_fixed(overview),
        *_figures(layers),
        *_story(stages),
        *_why(layers),
        *reading(),
    ]
    return page(f"{name}: facecom report", body, style=page_style())


def draw_overview(result: Completion) -> Image:
    """Scan and result from four sides, triangles outwards however they were stored, (H, W, 3) uint8."""
    layers = DisplayData(result)
    return preview(layers.scan, layers.merged, provenance=result.merged_provenance)


def page_style() -> str:
    """The style sheet of all pages."""
    return resources.files("facecom").joinpath("assets", "report", "page.css").read_text(encoding="utf-8")


def _head(layers: DisplayData, name: str) -> Iterator[str]:
    report = layers.result.report
    yield tag("h1", name)
    yield tag("p", f"Completed by facecom {report.versions.get('facecom', '')}".strip() + ".", kind="soft")
    yield tag(
        "p",
        f"The scan shows {percent(report.coverage)} of the face proper; with ears, scalp and neck, "
        f"{percent(report.observed_share)} of the surface was observed and {percent(report.made_up_share)} made up, "
        f"there with a standard deviation of {mm(report.sigma_made_up_mm)} on average.",
        kind="lead",
    )
    if report.warnings:
        items = "".join(tag("li", _sentence(text)) for text in report.warnings)
        yield f'<div class="warn" role="alert"><strong>Please check</strong><ul>{items}</ul></div>'
    else:
        yield tag("p", "No stage had anything to warn of.")
    yield tag("p", AID, kind="aid")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _view(layers: DisplayData) -> Iterator[str]:
    plotting = script()
    if plotting is None:
        yield tag("h2", "Look at it")
        yield tag("p", "The 3D view needs plotly; install facecom[report] and run again. The pictures below do not.")
        return
    source, _ = plotting
    shown = (("face", "Whole face"), ("scan", "Scan"), ("patch", "Patch"), ("scan+patch", "Scan and patch"))
    colour = [
        ("provenance", "What was made up"), ("sigma", "How sure"), ("distance", "Distance scan to face"),
        ("plain", "Plain"),
    ]  # fmt: skip
    if layers.result.face.colors is not None:
        colour.append(("colour", "As scanned"))
    views = (("0", "Front"), ("0.7", "Subject's left"), ("-0.7", "Subject's right"), ("1.571", "Left profile"))
    yield '<div class="screen">'
    yield tag("h2", "Look at it")
    yield _buttons("Show", "show", shown, chosen="face")
    yield _buttons("Colours", "colour", colour, chosen="provenance")
    yield _buttons("From", "view", views, chosen=None)
    yield '<div id="view" role="img" aria-label="The face in three dimensions; drag to turn it"></div>'
    keys = "".join(
        f'<span class="key"><i style="background:{colors.css(KIND_COLOURS[k])}"></i>{KIND_NAMES[k]}</span>'
        for k in layers.kinds
    )
    yield f'<p id="kinds" class="soft">{keys}</p>'
    yield '<p id="scale" class="soft" hidden>0 <i></i> <b></b>; grey: nothing to show</p>'
    yield tag("p", "Drag to turn, pinch or scroll to come closer. Large scans are shown coarser.", kind="soft")
    yield f"<script>{source}</script>"
    yield f'<script type="application/json" id="scene">{json_for_script(scene(layers))}</script>'
    yield f"<script>{viewer_source()}</script>"
    yield "</div>"


def _buttons(title: str, key: str, choices: Sequence[tuple[str, str]], *, chosen: str | None) -> str:
    inner = "".join(
        f'<button type="button" data-key="{key}" data-value="{value}" '
        f'aria-pressed="{"true" if value == chosen else "false"}">{text}</button>'
        for value, text in choices
    )
    return f'<div class="buttons">{tag("span", title)}{inner}</div>'


def _fixed(overview: Image) -> Iterator[str]:
    yield tag("h2", "Fixed views")
    shown = Picture(jpeg_bytes(overview), "above the scan, below the result; grey was measured, colour was made up")
    yield picture(shown.uri, shown.caption)


def _figures(layers: DisplayData) -> Iterator[str]:
    report = layers.result.report
    yield tag("h2", "Figures")
    yield tag(
        "p",
        "Lengths in millimetres. The distance is the mean from the scan to the completed face where the scan shows "
        "it: how closely the face follows the scan, not how true the made part is. For that there is only the "
        "standard deviation.",
    )
    yield table(("region", "scan to face", "measured", "sd of the made part"), _regions(layers))
    yield '<div class="columns"><div>'
    yield tag("h3", "This run")
    yield pairs(
        {
            "unit of scan and results": f"{report.unit} ({report.mm_per_unit:g} mm each)",
            "triangles of the scan": f"{len(layers.result.scan.faces):,}",
            "taken out by cleaning": _removed(report.removed),
            "face explained by the rough fit": percent(report.score),
            "face proper measured": percent(report.coverage),
            "fit to scan, root mean square": mm(report.fit_rms_mm),
            "holes filled": str(report.holes_filled),
            "seed": str(report.seed),
        }
    )
    yield tag("h3", "Versions")
    yield pairs(dict(report.versions))
    yield "</div><div>"
    yield tag("h3", f"Seconds by stage ({sum(report.seconds.values()):.1f} s in all)")
    yield bars(report.seconds)
    yield tag("h3", "Pose: scan frame (mm) to face frame")
    yield table(("", "x", "y", "z", "shift, mm"), _pose(report.pose))
    yield "</div></div>"


def _regions(layers: DisplayData) -> Iterator[tuple[str, ...]]:
    report, template = layers.result.report, layers.result.template
    everywhere = np.ones(len(layers.area), bool)
    masks = {"all": everywhere} | {name: template.region_mask(name) for name in template.region_names}
    for name, mask in masks.items():
        distance = report.scan_to_face_mm.get(name)
        sigma = layers.mean_of(layers.result.sigma_mm, mask & ~layers.measured)
        yield (
            REGION_TITLES.get(name, name),
            "not seen" if distance is None else f"{distance:.3f}",
            percent(layers.share(layers.measured, of=mask)),
            f"{sigma:.2f}" if np.isfinite(sigma) else "none made",
        )


def _pose(pose: Sequence[Sequence[float]]) -> Iterator[tuple[str, ...]]:
    for axis, row in zip("xyz", pose, strict=False):
        yield (axis, *(f"{value:.4f}" for value in row[:3]), f"{row[3]:.3f}")


def _removed(removed: object) -> str:
    items = dict(removed)  # type: ignore[call-overload]
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in items.items()) or "nothing"


def _story(stages: Sequence[StageSummary]) -> Iterator[str]:
    yield tag("h2", "How it came about")
    yield tag("p", "What each stage got, what it knows, and what it gave, with the pictures and figures of this scan.")
    for number, stage in enumerate(stages, start=1):
        yield f'<section class="stage{"" if stage.used else " off"}">'
        yield tag("h3", f"{number}. {stage.title}" + ("" if stage.used else " (took no part in this run)"))
        steps = {"in": stage.incoming, "model": stage.knowledge, "out": stage.outgoing, "our own": stage.own}
        yield '<dl class="steps">' + "".join(tag("dt", k) + tag("dd", v) for k, v in steps.items()) + "</dl>"
        if stage.figures:
            yield pairs(stage.figures)
        if stage.pictures:
            shown = "".join(picture(p.uri, p.caption, note=p.scale) for p in stage.pictures)
            yield f'<div class="pictures">{shown}</div>'
        if stage.references:
            rests = "; ".join(link(s.name, s.url) for s in stage.references)
            yield f'<p class="soft">Rests on: {rests}</p>'
        yield "</section>"


def _why(layers: DisplayData) -> Iterator[str]:
    report, own = layers.result.report, layers.result.context
    mirrored = percent(layers.share(layers.mirrored, of=layers.made))
    seen = layers.mean_of(layers.face_to_scan, layers.measured)
    pores = (
        "No pores or wrinkles were invented in this run: the stages that took no part are named as such above."
        if layers.result.detail is None
        else "Pores and lines on the made part are laid from the skin that was seen, with its relief; they are like "
        "the person's own, not the lost ones."
    )
    yield tag("h2", "Why can it bring back fine features and keep the face's structure?")
    yield tag(
        "p",
        "The structure, because the missing part is never drawn from its rim alone. It is a part of one whole face, "
        f"whose code of {own.model.code_size} numbers was found from the {percent(report.coverage)} of the face proper "
        "that the scan shows. In real faces the parts go together, and the code knows how; what it cannot know from "
        "the rest of the face is stated as a standard deviation.",
    )
    yield tag(
        "p",
        f"The other side helps: of what was made up of the face proper, the scan shows the other side of {mirrored}, "
        "and the model knows how alike the two sides of a face are.",
    )
    yield tag(
        "p",
        f"The fine features that were seen, because they are not modelled but kept: the completed face lies {mm(seen)} "
        "from the scan on average where it was seen, and the merged mesh holds the scan's own triangles. Around the "
        "rim the last offset is carried on, so that no step shows, and fades over "
        f"{own.settings.project.correlation_mm:g} mm.",
    )
    yield tag(
        "p",
        "The fine features that were not seen are only as fine as the model is. " + pores,
    )
    yield tag("p", "What each stage is worth on this very scan: facecom explain SCAN --out DIR.", kind="soft")


def reading() -> Iterator[str]:
    """Papers, tools and data that the stages rest on, with links, as pieces of a page."""
    yield tag("h2", "Papers, tools and data")
    listed = (
        references.FACECOM, references.BLANZ, references.ICT, references.ICP, references.LINDGREN, references.PARSER,
        references.SDFD, references.FPGA, references.QUILTING, references.PLOTLY,
    )  # fmt: skip
    yield "<ul>" + "".join(f"<li>{link(s.name, s.url)}: {tag('span', s.role)}</li>" for s in listed) + "</ul>"
    yield tag("p", AID, kind="aid")
