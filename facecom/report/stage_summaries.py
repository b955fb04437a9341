"""What each stage got, what it knows and what it gave, told with the pictures and figures of one scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from facecom.geometry.mesh import Floats, vertex_normals
from facecom.provenance import Provenance
from facecom.report import references
from facecom.report.display_data import DisplayData
from facecom.report.formatting import REGION_TITLES, mm, percent
from facecom.report.guidance_panels import picture_figures, view_pictures
from facecom.report.pictures import Painter, Picture
from facecom.report.references import Reference
from facecom.report.relief import relief_by_region
from facecom.report.shading import Frame


@dataclass(frozen=True, eq=False)
class StageSummary:
    """One stage of the story.

    Parameters
    ----------
    title : str
    incoming, knowledge, outgoing : str
        What came in, what the stage itself knows, what went out, a sentence or two each.
    figures : name -> figure with its unit, of this scan
    pictures : of this scan
    own : str, what of it is this package's own
    references : what it rests on
    used : bool, whether it took part in this run
    """

    title: str
    incoming: str
    knowledge: str
    outgoing: str
    own: str
    figures: Mapping[str, str] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    references: tuple[Reference, ...] = ()
    used: bool = True


def stage_summaries(layers: DisplayData) -> tuple[StageSummary, ...]:
    """All stages of the completion, in order; those that took no part come last and say so."""
    painter = Painter.of(layers)
    return (
        _alignment(layers, painter),
        _generator(layers, painter),
        _symmetry(layers, painter),
        _projection(layers, painter),
        _uncertainty(layers, painter),
        _join(layers, painter),
        _guidance(layers),
        _detail(layers, painter),
    )


def _alignment(layers: DisplayData, painter: Painter) -> StageSummary:
    own, report = layers.result.context, layers.result.report
    stored = own.scan.mm.mesh.vertices
    raw = layers.scan.with_vertices(stored - stored.mean(0) + painter.frame.centre)
    cosine = (np.trace(own.fit.pose.rotation) - 1) / 2
    return StageSummary(
        "Finding the face",
        f"The cleaned scan of {len(own.scan.mesh.faces):,} triangles, in whatever pose it was stored; its unit was "
        f"taken as {report.unit}.",
        "The model's mean face. Many starting poses are compared, the best are fitted roughly with a few shape modes, "
        "and the pose that explains the most of a face wins.",
        "A pose that turns the scan into the face's own frame, as it stands after the fit.",
        "The search over poses and the score.",
        figures={
            "turned by": f"{np.degrees(np.arccos(np.clip(cosine, -1, 1))):.0f}°",
            "face explained by the rough fit": percent(report.score),
        },
        pictures=(painter.plain(raw, "the scan as it came"), painter.plain(layers.scan, "the scan in the face frame")),
        references=(references.ICP,),
    )


def _generator(layers: DisplayData, painter: Painter) -> StageSummary:
    own, report = layers.result.context, layers.result.report
    code = own.fit.code[: own.model.identity_size]
    moved = _length(layers.modes_only.vertices - layers.mean.vertices)
    return StageSummary(
        "The face's code",
        "The scan in the face frame: position and direction of its surface where it was seen.",
        f"A generator of whole faces: a mean and {own.model.identity_size} ways in which faces differ, each with its "
        "usual amount. A code says how much of each. Pose and code are found together, so that the generated face "
        "passes through the scan, and unusual codes cost.",
        "A whole face in one piece: proportions, and the parts that were not seen in keeping with those that were.",
        "The model with coefficients that vary over the face, the template, and the second-order fit.",
        figures={
            "moved from the mean face, seen part": mm(layers.rms_of(moved, layers.measured)),
            "moved from the mean face, made part": mm(layers.rms_of(moved, layers.made)),
            "unusualness of the code (a typical face has 1)": f"{float(code @ code) / len(code):.2f}",
            "fitted face to scan, root mean square": mm(report.fit_rms_mm),
        },
        pictures=(
            painter.plain(layers.mean, "the mean face"),
            painter.heat(layers.modes_only, moved, "how far the code moved it"),
            painter.plain(layers.modes_only, "the face of the code"),
        ),
        references=(references.FACECOM, references.BLANZ, references.ICT),
    )


def _symmetry(layers: DisplayData, painter: Painter) -> StageSummary:
    own = layers.result.context
    moved = _normal_offset(layers.modes_only.vertices, layers.fitted.vertices, layers)
    mirror = own.template.mirror
    odd = layers.fitted.vertices - layers.fitted.vertices[mirror] * [-1.0, 1.0, 1.0]
    made = layers.made
    return StageSummary(
        "What this face has beside the code, and its other side",
        "The face of the code and what is left between it and the scan.",
        f"{own.model.code_size - own.model.identity_size} smooth fields of offsets, with the size and reach that real "
        "faces showed beside such a model. Most of their variance is shared by both sides of the face: what one side "
        "shows, the other is expected to have, though never exactly.",
        "The fitted face: closer to the scan, and with the seen side's traits on the unseen side.",
        "All of it: the fields, the share that both sides have in common, and their part in the fit.",
        figures={
            "offset beside the code, seen part": mm(layers.rms_of(moved, layers.measured)),
            "offset beside the code, made part": mm(layers.rms_of(moved, made)),
            "made part whose other side was seen": percent(layers.share(layers.mirrored, of=made)),
            "made part seen on neither side": percent(layers.share(~layers.mirrored, of=made)),
            "left-right difference of the fitted face": mm(layers.rms_of(_length(odd), layers.proper)),
        },
        pictures=(
            painter.signed(layers.fitted, moved, "offset beside the code"),
            painter.plain(layers.fitted, "the fitted face"),
            painter.kinds(layers.face, layers.sides, "grey: seen; blue: made, other side seen; orange: made"),
        ),
    )


def _projection(layers: DisplayData, painter: Painter) -> StageSummary:
    own = layers.result.context
    settings = own.settings.project
    offset = own.projection.offset
    return StageSummary(
        "Onto the scan",
        "The fitted face, a few tenths of a millimetre from the scan.",
        "The offset to the scan is a smooth random field on the surface: known where the scan is, and beyond its rim "
        f"carried on, fading over {settings.correlation_mm:g} mm. Stray points of the scan are given little weight.",
        "A face that lies on the scan where there is one and leaves its rim without a step where there is none.",
        "The two-step scheme and its use for completion.",
        figures={
            "moved, seen part": mm(layers.rms_of(offset, layers.measured)),
            "moved, made part": mm(layers.rms_of(offset, layers.made)),
            "completed face to scan, seen part, mean": mm(layers.mean_of(layers.face_to_scan, layers.measured)),
        },
        pictures=(
            painter.signed(layers.face, offset, "moved towards the scan"),
            painter.heat(layers.face, layers.face_to_scan, "distance left to the scan", shown=layers.measured),
            painter.plain(layers.face, "the completed face"),
        ),
        references=(references.LINDGREN,),
    )


def _uncertainty(layers: DisplayData, painter: Painter) -> StageSummary:
    sigma, report = layers.result.sigma_mm, layers.result.report
    return StageSummary(
        "How sure it is",
        "The fit's second derivative: how much each change of the code would cost.",
        "What the seen part leaves open stays open: a code that changes only the unseen part costs little, and shows "
        "as a large standard deviation there.",
        "A standard deviation for each vertex, along the surface's normal, and other faces that would do as well.",
        "Its share beside the model, and the calibration on faces with a known truth.",
        figures={
            "standard deviation, made part, mean over vertices": mm(report.sigma_made_up_mm),
            "largest": mm(float(sigma.max())),
        },
        pictures=(painter.heat(layers.face, sigma, "standard deviation"),),
    )


def _join(layers: DisplayData, painter: Painter) -> StageSummary:
    result, joined = layers.result, layers.result.context.stitched
    return StageSummary(
        "Joined to the scan",
        "The completed face and the scan's own triangles.",
        "The scan's triangles are kept, bit for bit. What is missing is cut from the completed face, its triangles are "
        "sized to their neighbours, and it meets the rim at the rim's own slope.",
        "The merged mesh, and the patch alone: what a prosthesis would have to be.",
        "All of it.",
        figures={
            "triangles of the scan kept": f"{len(result.scan.faces):,}",
            "triangles made": f"{len(result.patch.faces):,}",
            "borders closed": f"{joined.n_loops_filled}",
        },
        pictures=(
            painter.kinds(layers.merged, layers.merged_kind, "what was made, in colour"),
            painter.plain(layers.merged, "scan and patch"),
            *(
                ()
                if result.merged.colors is None
                else (
                    painter.painted(
                        layers.merged, result.merged.colors, "in the scan's colours, filled in on the patch"
                    ),
                )
            ),
        ),
    )


def _guidance(layers: DisplayData) -> StageSummary:
    moved, asked = layers.result.report.guidance_mm, layers.result.context.guidance
    return StageSummary(
        "A picture as a further witness",
        "Depth and normals drawn from the scan, with the hole in them.",
        "A parser that names the regions of a picture and a network that paints in the hole, or any diffusion network "
        "that the user names.",
        "Pixels in the hole, each with its own standard deviation, which the fit takes in.",
        "The small networks, trained on our own pictures.",
        figures={f"moved the fitted face, {REGION_TITLES.get(k, k)}": mm(v) for k, v in (moved or {}).items()}
        | ({} if asked is None else picture_figures(asked.found)),
        pictures=() if asked is None else tuple(view_pictures(asked.found)),
        references=(references.FACECOM, references.PARSER, references.SDFD, references.FPGA),
        used=moved is not None,
    )


def _detail(layers: DisplayData, painter: Painter) -> StageSummary:
    skin = layers.result.detail
    stage = StageSummary(
        "Pores and fine lines",
        "The completed face, and a scan fine enough to carry skin relief.",
        "The relief of the person's own seen skin, first of the same place on the other side.",
        "Relief on the made part like that of its surroundings; it cannot know the true pores.",
        "The measuring of bands, the choice of skin, and the seam.",
        references=(references.QUILTING,),
        used=skin is not None,
    )
    if skin is None:
        return stage
    relief = skin.displacement - skin.base_offset
    close = replace(painter, frame=Frame.around(skin.mesh.vertices, size=painter.frame.size))
    return replace(
        stage,
        figures={kind.label: percent(float(np.mean(skin.provenance == kind))) for kind in Provenance}
        | {
            "spacing of the scan there": mm(skin.bands.spacing_mm),
            **{
                f"relief made against measured, {REGION_TITLES.get(name, name)}": part.text
                for name, part in relief_by_region(layers).items()
            },
        },
        pictures=(
            close.plain(skin.smooth, "without relief"),
            close.plain(skin.mesh, "with relief"),
            close.signed(skin.smooth, relief, "the relief"),
        ),
    )


def _length(vectors: Floats) -> Floats:
    return np.linalg.norm(vectors, axis=1)


def _normal_offset(before: Floats, after: Floats, layers: DisplayData) -> Floats:
    return np.einsum("vd,vd->v", after - before, vertex_normals(before, layers.mean.faces))
