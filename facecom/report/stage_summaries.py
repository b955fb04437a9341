"""What each stage of a completion received, how it works and what it returned, with values and pictures of one scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from facecom.drawing import colors
from facecom.drawing.shading import Frame
from facecom.geometry.mesh import Floats, vertex_normals
from facecom.provenance import Provenance
from facecom.report import references
from facecom.report.display_data import DisplayData
from facecom.report.formatting import REGION_TITLES, mm, percent
from facecom.report.guidance_panels import guidance_pictures, guidance_values
from facecom.report.pictures import Picture, PictureRenderer
from facecom.report.references import Reference
from facecom.report.relief import relief_by_region


@dataclass(frozen=True, eq=False)
class StageSummary:
    """One stage of a completion.

    Parameters
    ----------
    title : str
    inputs, method, outputs : str
        What the stage received, how it works and what it returned, a sentence or two each.
    contribution : str, which part of the method is this package's own
    values : name -> value with its unit, of this scan
    pictures : of this scan
    references : papers, tools and data that the stage uses
    used : bool, whether it took part in this run
    """

    title: str
    inputs: str
    method: str
    outputs: str
    contribution: str
    values: Mapping[str, str] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    references: tuple[Reference, ...] = ()
    used: bool = True


def stage_summaries(data: DisplayData) -> tuple[StageSummary, ...]:
    """All stages of the completion, in order; the optional ones, guidance and skin detail, come last."""
    renderer = PictureRenderer.of(data)
    return (
        _alignment(data, renderer),
        _model_fit(data, renderer),
        _symmetry(data, renderer),
        _projection(data, renderer),
        _uncertainty(data, renderer),
        _stitching(data, renderer),
        _guidance(data),
        _detail(data, renderer),
    )


def _alignment(data: DisplayData, renderer: PictureRenderer) -> StageSummary:
    context, report = data.result.context, data.result.report
    stored = context.scan.mm.mesh.vertices
    unaligned = data.scan.with_vertices(stored - stored.mean(0) + renderer.frame.center)
    cosine = (np.trace(context.fit.pose.rotation) - 1) / 2
    return StageSummary(
        "Alignment",
        f"The cleaned scan of {len(context.scan.mesh.faces):,} triangles, in an arbitrary pose; "
        + ("its size was found from the face." if report.unit == "free" else f"its unit was taken as {report.unit}."),
        "The model's mean face. Many starting poses are compared, the best are fitted roughly with a few shape modes, "
        "and the pose that explains the largest share of a face is kept.",
        "The pose that takes the scan to the face frame, as it stands after the fit.",
        "The search over poses and its score.",
        values={
            "rotation": f"{np.degrees(np.arccos(np.clip(cosine, -1, 1))):.0f}°",
            "face explained by the rough fit": percent(report.score),
        },
        pictures=(
            renderer.plain(unaligned, "the scan as it was stored"),
            renderer.plain(data.scan, "the scan in the face frame"),
        ),
        references=(references.ICP,),
    )


def _model_fit(data: DisplayData, renderer: PictureRenderer) -> StageSummary:
    context, report = data.result.context, data.result.report
    code = context.fit.code[: context.model.identity_size]
    displacement = _length(data.modes_face.vertices - data.mean_face.vertices)
    return StageSummary(
        "Fit of the face model",
        "The scan in the face frame: positions and normals of its surface where it was observed.",
        f"A face model: a mean and {context.model.identity_size} shape modes, each with its standard deviation in the "
        "population. The code holds the coefficients of the modes. Pose and code are found together, so that the "
        "face lies on the scan, and a prior penalises unusual codes.",
        "A whole face: its proportions, and the missing parts in keeping with the observed ones.",
        "The model with coefficients that vary over the face, the template, and the second-order fit.",
        values={
            "displacement from the mean face, observed part": mm(data.area_rms(displacement, data.observed)),
            "displacement from the mean face, made-up part": mm(data.area_rms(displacement, data.made_up)),
            "mean squared code (a typical face has 1)": f"{float(code @ code) / len(code):.2f}",
            "fitted face to scan, root mean square": mm(report.fit_rms_mm),
        },
        pictures=(
            renderer.plain(data.mean_face, "the mean face"),
            renderer.heat(data.modes_face, displacement, "displacement by the code"),
            renderer.plain(data.modes_face, "the face of the code"),
        ),
        references=(references.FACECOM, references.BLANZ, references.ICT),
    )


def _symmetry(data: DisplayData, renderer: PictureRenderer) -> StageSummary:
    context, made_up = data.result.context, data.made_up
    discrepancy = _normal_offset(data.modes_face.vertices, data.fitted.vertices, data)
    mirror = context.template.mirror
    asymmetry = data.fitted.vertices - data.fitted.vertices[mirror] * [-1.0, 1.0, 1.0]
    return StageSummary(
        "Discrepancy and symmetry",
        "The face of the code and its residual to the scan.",
        f"{context.model.code_size - context.model.identity_size} smooth fields of offsets that the shape modes lack, "
        "with the size and correlation length measured on real faces. Most of their variance is shared by both sides "
        "of the face: what one side shows is expected of the other, though never exactly.",
        "The fitted face: closer to the scan, and with the traits of the observed side on the missing side.",
        "All of it: the discrepancy fields, the variance that both sides share, and their term in the fit.",
        values={
            "discrepancy, observed part": mm(data.area_rms(discrepancy, data.observed)),
            "discrepancy, made-up part": mm(data.area_rms(discrepancy, made_up)),
            "made-up part whose mirror side was observed": percent(data.area_share(data.mirror_observed, of=made_up)),
            "made-up part observed on neither side": percent(data.area_share(~data.mirror_observed, of=made_up)),
            "asymmetry of the fitted face": mm(data.area_rms(_length(asymmetry), data.face_mask)),
        },
        pictures=(
            renderer.signed(data.fitted, discrepancy, "discrepancy"),
            renderer.plain(data.fitted, "the fitted face"),
            renderer.provenance(
                data.face, data.symmetry_provenance, "grey: observed; blue: mirror side observed; orange: neither"
            ),
        ),
    )


def _projection(data: DisplayData, renderer: PictureRenderer) -> StageSummary:
    context = data.result.context
    offset = context.projection.offset
    return StageSummary(
        "Projection onto the scan",
        "The fitted face, a few tenths of a millimetre from the scan.",
        "The offset to the scan is a smooth Gaussian field on the surface: observed on the scan, and extrapolated "
        f"into the hole, where it decays over {context.settings.project.correlation_mm:g} mm. Outliers of the scan "
        "have a small weight.",
        "The completed face: it lies on the scan where it was observed, and has no step at the rim of the hole.",
        "The two-step scheme and its use for completion.",
        values={
            "offset, observed part": mm(data.area_rms(offset, data.observed)),
            "offset, made-up part": mm(data.area_rms(offset, data.made_up)),
            "completed face to scan, observed part, mean": mm(data.area_mean(data.face_to_scan, data.observed)),
        },
        pictures=(
            renderer.signed(data.face, offset, "offset towards the scan"),
            renderer.heat(data.face, data.face_to_scan, "residual to the scan", shown=data.observed),
            renderer.plain(data.face, "the completed face"),
        ),
        references=(references.LINDGREN,),
    )


def _uncertainty(data: DisplayData, renderer: PictureRenderer) -> StageSummary:
    sigma, report = data.result.sigma_mm, data.result.report
    high = colors.sigma_scale_end(sigma, data.provenance)
    return StageSummary(
        "Uncertainty",
        "The Hessian of the fit: how much each change of the code costs.",
        "The posterior of the code. A change of the code that moves the missing part alone costs little, and gives "
        "that part a large standard deviation.",
        "A standard deviation for each vertex, along its normal, and samples: other faces that explain the scan as "
        "well.",
        "The share of the discrepancy, and the calibration on faces with a known truth.",
        values={
            "standard deviation, made-up part, mean over vertices": mm(report.sigma_made_up_mm),
            "largest": mm(float(sigma.max())),
        },
        pictures=(renderer.heat(data.face, sigma, "standard deviation", high=high),),
    )


def _stitching(data: DisplayData, renderer: PictureRenderer) -> StageSummary:
    result, stitched = data.result, data.result.context.stitched
    pictures = [
        renderer.provenance(data.merged, data.merged_provenance, "made-up parts in colour"),
        renderer.plain(data.merged, "scan and patch"),
    ]
    if result.merged.colors is not None:
        pictures.append(
            renderer.painted(data.merged, result.merged.colors, "in the scan's colours, filled in on the patch")
        )
    return StageSummary(
        "Stitching",
        "The completed face and the scan's own triangles.",
        "The scan's triangles are kept, bit for bit. The patch is cut from the completed face, its triangles are "
        "sized to their neighbours, and it meets the rim of the hole with matching tangents.",
        "The merged mesh, and the patch alone: the shape of a prosthesis.",
        "All of it.",
        values={
            "triangles of the scan kept": f"{len(result.scan.faces):,}",
            "triangles made up": f"{len(result.patch.faces):,}",
            "holes filled": f"{stitched.n_loops_filled}",
        },
        pictures=tuple(pictures),
    )


def _guidance(data: DisplayData) -> StageSummary:
    displacement, record = data.result.report.guidance_mm, data.result.context.guidance
    return StageSummary(
        "Image guidance",
        "Depth and normal images rendered from the scan, with the hole in them.",
        "A face parser labels the regions of an image, and an inpainting network, or a diffusion pipeline that the "
        "user names, fills in the hole.",
        "Image targets: inpainted pixels in the hole, each with its own standard deviation, which the fit takes as "
        "observations.",
        "The small networks, trained on our own renderings.",
        values={
            f"displacement of the fitted face, {REGION_TITLES.get(name, name)}": mm(value)
            for name, value in (displacement or {}).items()
        }
        | ({} if record is None else guidance_values(record.found)),
        pictures=() if record is None else tuple(guidance_pictures(record.found)),
        references=(references.FACECOM, references.PARSER, references.SDFD, references.FPGA),
        used=displacement is not None,
    )


def _detail(data: DisplayData, renderer: PictureRenderer) -> StageSummary:
    skin = data.result.context.detail
    stage = StageSummary(
        "Skin detail",
        "The completed face, and a scan fine enough to hold skin relief.",
        "The relief of the person's own observed skin, first of the same place on the other side.",
        "Synthesised relief on the made-up part, like that of its surroundings; it cannot be the true relief.",
        "The band power of the relief, the choice of the exemplar, and the transition at the rim.",
        references=(references.QUILTING,),
        used=skin is not None,
    )
    if skin is None:
        return stage
    relief = skin.displacement - skin.base_offset
    close_up = replace(renderer, frame=Frame.around(skin.mesh.vertices, size=renderer.frame.size))
    return replace(
        stage,
        values={kind.label: percent(float(np.mean(skin.provenance == kind))) for kind in Provenance}
        | {
            "spacing of the scan there": mm(skin.bands.spacing_mm),
            **{
                f"relief synthesised against observed, {REGION_TITLES.get(name, name)}": part.text
                for name, part in relief_by_region(data).items()
            },
        },
        pictures=(
            close_up.plain(skin.smooth, "without relief"),
            close_up.plain(skin.mesh, "with relief"),
            close_up.signed(skin.smooth, relief, "the relief"),
        ),
    )


def _length(vectors: Floats) -> Floats:
    return np.linalg.norm(vectors, axis=1)


def _normal_offset(before: Floats, after: Floats, data: DisplayData) -> Floats:
    return np.einsum("vd,vd->v", after - before, vertex_normals(before, data.mean_face.faces))
