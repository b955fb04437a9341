"""report.html: one self-contained page that shows a completion and explains it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources

import numpy as np

from facecom.completion import Completion
from facecom.completion.types import Report
from facecom.drawing import colors
from facecom.drawing.preview import preview
from facecom.drawing.shading import Image
from facecom.report import references
from facecom.report.display_data import PROVENANCE_COLORS, PROVENANCE_LABELS, DisplayData
from facecom.report.formatting import REGION_TITLES, mm, percent
from facecom.report.html_elements import bars, link, page, pairs, picture, table, tag
from facecom.report.pictures import Picture, jpeg_bytes
from facecom.report.stage_summaries import StageSummary, stage_summaries
from facecom.report.viewer3d import json_for_script, scene, script, viewer_source

DISCLAIMER = (
    "This is an aid for design and research, not a medical device. What is marked as made up is an estimate from "
    "statistics of other faces: check it before anything is made from it."
)
PROFILE_YAW_RAD, QUARTER_YAW_RAD = "1.571", "0.7"
"""Yaw of the buttons of the 3D view, radians."""


def report_html(result: Completion, *, name: str, overview: Image | None = None) -> str:
    """The page of a completion; it needs no other file and no network.

    Parameters
    ----------
    result : Completion
    name : str, of the scan, for the title
    overview : (H, W, 3) uint8, the picture of `draw_overview`; drawn here unless given

    Returns
    -------
    str, HTML
    """
    data = DisplayData(result)
    if overview is None:
        overview = draw_overview(result)
    stages = stage_summaries(data)
    body = [
        *_header(data, name),
        *_view3d(data),
        *_fixed_views(overview, doubtful=bool(result.report.doubtful_places)),
        *_values(data),
        *_stages(stages),
        *_explanation(data),
        *reading_list(),
    ]
    return page(f"{name}: facecom report", body, style=page_style())


def draw_overview(result: Completion) -> Image:
    """Scan and result from four directions, with outward triangles, (H, W, 3) uint8."""
    data = DisplayData(result)
    return preview(data.scan, data.merged, provenance=result.merged_provenance, doubtful=result.doubtful_vertices)


def page_style() -> str:
    """The style sheet of all pages."""
    return resources.files("facecom").joinpath("assets", "report", "page.css").read_text(encoding="utf-8")


def _header(data: DisplayData, name: str) -> Iterator[str]:
    report = data.result.report
    yield tag("h1", name)
    yield tag("p", f"Completed by facecom {report.versions.get('facecom', '')}".strip() + ".", kind="soft")
    yield tag(
        "p",
        f"The scan shows {percent(report.coverage)} of the face proper. With ears, scalp and neck, "
        f"{percent(report.observed_share)} of the surface was observed and {percent(report.made_up_share)} made up; "
        f"the made-up part has a standard deviation of {mm(report.sigma_made_up_mm)} on average.",
        kind="lead",
    )
    if report.warnings:
        items = "".join(tag("li", _sentence(text)) for text in report.warnings)
        yield f'<div class="warn" role="alert"><strong>Please check</strong><ul>{items}</ul></div>'
    else:
        yield tag("p", "No stage gave a warning.")
    yield tag("p", DISCLAIMER, kind="aid")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _view3d(data: DisplayData) -> Iterator[str]:
    plotly = script()
    if plotly is None:
        yield tag("h2", "3D view")
        yield tag("p", "The 3D view needs plotly; install facecom[report] and run again. The pictures below do not.")
        return
    source, _ = plotly
    yield '<div class="screen">'
    yield tag("h2", "3D view")
    yield from _view_buttons(has_colors=data.result.face.colors is not None)
    yield '<div id="view" role="img" aria-label="The face in three dimensions; drag to rotate it"></div>'
    keys = "".join(
        f'<span class="key"><i style="background:{colors.css(PROVENANCE_COLORS[k])}"></i>{PROVENANCE_LABELS[k]}</span>'
        for k in data.present_provenance
    )
    yield f'<p id="legend" class="soft">{keys}</p>'
    yield '<p id="scale" class="soft" hidden>0 <i></i> <b></b>; grey: no value</p>'
    yield tag("p", "Drag to rotate, pinch or scroll to zoom. Large scans are simplified.", kind="soft")
    yield f"<script>{source}</script>"
    yield f'<script type="application/json" id="scene">{json_for_script(scene(data))}</script>'
    yield f"<script>{viewer_source()}</script>"
    yield "</div>"


def _view_buttons(*, has_colors: bool) -> Iterator[str]:
    surfaces = (("face", "Completed face"), ("scan", "Scan"), ("patch", "Patch"), ("scan+patch", "Scan and patch"))
    layers = [
        ("provenance", "Provenance"), ("sigma", "Standard deviation"), ("distance", "Distance scan to face"),
        ("plain", "Plain"),
    ]  # fmt: skip
    if has_colors:
        layers.append(("colour", "As scanned"))
    views = (
        ("0", "Front"), (QUARTER_YAW_RAD, "Subject's left"), (f"-{QUARTER_YAW_RAD}", "Subject's right"),
        (PROFILE_YAW_RAD, "Left profile"),
    )  # fmt: skip
    yield _buttons("Surface", "show", surfaces, chosen="face")
    yield _buttons("Colours", "colour", layers, chosen="provenance")
    yield _buttons("View", "view", views, chosen=None)


def _buttons(title: str, key: str, choices: Sequence[tuple[str, str]], *, chosen: str | None) -> str:
    inner = "".join(
        f'<button type="button" data-key="{key}" data-value="{value}" '
        f'aria-pressed="{"true" if value == chosen else "false"}">{text}</button>'
        for value, text in choices
    )
    return f'<div class="buttons">{tag("span", title)}{inner}</div>'


def _fixed_views(overview: Image, *, doubtful: bool) -> Iterator[str]:
    yield tag("h2", "Fixed views")
    doubt = "; yellow may be no skin" if doubtful else ""
    shown = Picture(
        jpeg_bytes(overview), f"above the scan, below the result; grey was observed, colour was made up{doubt}"
    )
    yield picture(shown.uri, shown.caption)


def _values(data: DisplayData) -> Iterator[str]:
    report = data.result.report
    yield tag("h2", "Values")
    yield tag(
        "p",
        "Lengths in millimetres. The distance is the mean from the scan to the completed face where it was observed: "
        "the residual of the projection, not the error of the made-up part. That is estimated by the standard "
        "deviation alone.",
    )
    yield table(("region", "scan to face", "observed", "sd of the made-up part"), _regions(data))
    yield '<div class="columns"><div>'
    yield tag("h3", "This run")
    yield pairs(
        {
            "unit of scan and results": unit_text(report),
            **({} if report.face_size is None else {"size of the face, mean adult 100 %": percent(report.face_size)}),
            "triangles of the scan": f"{len(data.result.scan.faces):,}",
            "removed by cleaning": _removed(report.removed),
            "face explained by the rough fit": percent(report.score),
            "face proper observed": percent(report.coverage),
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
    yield table(("", "x", "y", "z", "translation, mm"), _pose(report.pose))
    yield "</div></div>"


def unit_text(report: Report) -> str:
    """The unit of scan and results, and how well its length is known."""
    if report.mm_per_unit_sigma is None:
        return f"{report.unit} ({report.mm_per_unit:g} mm each)"
    return f"none; {report.mm_per_unit:.4g} ± {report.mm_per_unit_sigma:.2g} mm each, from the size of the face"


def _regions(data: DisplayData) -> Iterator[tuple[str, ...]]:
    report, template = data.result.report, data.result.template
    everywhere = np.ones(len(data.vertex_area), bool)
    masks = {"all": everywhere} | {name: template.region_mask(name) for name in template.region_names}
    for name, mask in masks.items():
        distance = report.scan_to_face_mm.get(name)
        sigma = data.area_mean(data.result.sigma_mm, mask & ~data.observed)
        yield (
            REGION_TITLES.get(name, name),
            "not observed" if distance is None else f"{distance:.3f}",
            percent(data.area_share(data.observed, of=mask)),
            f"{sigma:.2f}" if np.isfinite(sigma) else "none",
        )


def _pose(pose: Sequence[Sequence[float]]) -> Iterator[tuple[str, ...]]:
    for axis, row in zip("xyz", pose, strict=False):
        yield (axis, *(f"{value:.4f}" for value in row[:3]), f"{row[3]:.3f}")


def _removed(removed: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in removed.items()) or "nothing"


def _stages(stages: Sequence[StageSummary]) -> Iterator[str]:
    yield tag("h2", "Stages")
    yield tag(
        "p", "What each stage received, how it works and what it returned, with pictures and values of this scan."
    )
    for number, stage in enumerate(stages, start=1):
        yield f'<section class="stage{"" if stage.used else " off"}">'
        yield tag("h3", f"{number}. {stage.title}" + ("" if stage.used else " (took no part in this run)"))
        steps = {"in": stage.inputs, "method": stage.method, "out": stage.outputs, "our own": stage.contribution}
        yield '<dl class="steps">' + "".join(tag("dt", k) + tag("dd", v) for k, v in steps.items()) + "</dl>"
        if stage.values:
            yield pairs(stage.values)
        if stage.pictures:
            shown = "".join(picture(p.uri, p.caption, note=p.scale) for p in stage.pictures)
            yield f'<div class="pictures">{shown}</div>'
        if stage.references:
            listed = "; ".join(link(s.name, s.url) for s in stage.references)
            yield f'<p class="soft">References: {listed}</p>'
        yield "</section>"


def _explanation(data: DisplayData) -> Iterator[str]:
    report, context = data.result.report, data.result.context
    mirrored = percent(data.area_share(data.mirror_observed, of=data.made_up))
    residual = data.area_mean(data.face_to_scan, data.observed)
    relief = (
        "No pores or wrinkles were synthesised in this run: the stages that took no part are named as such above."
        if data.result.detail is None
        else "Pores and lines on the made-up part are synthesised from the observed skin; they are like the person's "
        "own, not the lost ones."
    )
    yield tag("h2", "Why does it restore fine features and keep the face's structure?")
    yield tag(
        "p",
        "The structure: the missing part is not extrapolated from its rim alone. It is a part of one whole face, whose "
        f"code of {context.model.code_size} numbers was fitted to the {percent(report.coverage)} of the face proper "
        "that the scan shows. The parts of real faces are correlated, and the model holds these correlations; what "
        "cannot be predicted from the rest of the face is stated as a standard deviation.",
    )
    yield tag(
        "p",
        f"Symmetry: of the made-up part of the face proper, the mirror side of {mirrored} was observed, and the model "
        "holds how alike the two sides of a face are.",
    )
    yield tag(
        "p",
        "The observed fine features are kept, not modelled: the completed face lies "
        f"{mm(residual)} from the scan on average where it was observed, and the merged mesh holds the scan's own "
        "triangles. At the rim the offset is extrapolated into the hole, so that there is no step, and decays over "
        f"{context.settings.project.correlation_mm:g} mm.",
    )
    yield tag("p", "The fine features that were not observed are only as fine as the model is. " + relief)
    yield tag("p", "What each stage is worth on this very scan: facecom explain SCAN --out DIR.", kind="soft")


def reading_list() -> Iterator[str]:
    """Papers, tools and data that the stages use, with links, as HTML elements."""
    yield tag("h2", "Papers, tools and data")
    listed = (
        references.FACECOM, references.BLANZ, references.ICT, references.ICP, references.LINDGREN, references.PARSER,
        references.SDFD, references.FPGA, references.QUILTING, references.PLOTLY,
    )  # fmt: skip
    yield "<ul>" + "".join(f"<li>{link(s.name, s.url)}: {tag('span', s.role)}</li>" for s in listed) + "</ul>"
    yield tag("p", DISCLAIMER, kind="aid")
