"""Design a prosthesis for a completed face: the part, its mould and the measures that a clinician looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from facecom.completion import Completion, CompletionOptions, Progress, complete
from facecom.completion.regions import EARS, region_mask
from facecom.errors import ScanError
from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.geometry.transform import Similarity
from facecom.io.versions import package_versions
from facecom.prosthesis.acceptance import refuse_unwearable, warnings_about
from facecom.prosthesis.checks.part_check import check_part
from facecom.prosthesis.defect.design_surface import (
    DesignSurface,
    defects_of,
    select_defect,
    without_ear,
    without_region,
)
from facecom.prosthesis.defect.detection import vector_area
from facecom.prosthesis.defect.mirroring import mirror_region
from facecom.prosthesis.defect.neighbourhood import Defect, Neighbourhood, neighbourhood
from facecom.prosthesis.inspection import inspect_part
from facecom.prosthesis.part import Prosthesis
from facecom.prosthesis.settings import DesignSettings
from facecom.prosthesis.shell.axis import axis_frame, choose_axis
from facecom.prosthesis.shell.margin_outline import MarginOutline, initial_outer_surface
from facecom.prosthesis.shell.mould import build_mould
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.relief import Relief
from facecom.prosthesis.shell.shell import Shell, build_shell
from facecom.prosthesis.shell.thickness import Thickness, grid_allowance_mm
from facecom.prosthesis.shell.trimming import trim_remnants
from facecom.prosthesis.solid.booleans import to_mesh
from facecom.prosthesis.solid.file_precision import joined_in_float32

PACKAGES = ("facecom", "manifold3d", "numpy", "open3d", "scipy", "shapely")
"""The packages whose versions are recorded with a part."""

SHELL_SHARES, INSPECTION_SHARE = (0.1, 0.85), 0.88
"""Of the work on a part: where its shell begins and ends, and where its inspection begins."""


def design(
    scan: Any, *, settings: DesignSettings | None = None, completion_options: CompletionOptions | None = None
) -> Prosthesis:
    """Design the part that a face lacks, and its mould.

    Parameters
    ----------
    scan : Completion, or a scan in any form that `facecom.complete` takes; it is completed first
    settings : DesignSettings
    completion_options : options of `facecom.complete`, where a scan is given: unit, landmarks, detail and the like

    Returns
    -------
    Prosthesis

    Raises
    ------
    ScanError
        When nothing is missing, what is missing has no healthy skin around it, or the part is refused (`least_cm3` and
        `least_scanned` of the settings); and as `facecom.complete` does.
    ValueError
        On an unknown region or an impossible axis, and for options of a completion that is done already.

    Examples
    --------
    >>> design("face.ply", settings=DesignSettings(wall_mm=2.5), completion_options={"unit": "mm"})
    Traceback (most recent call last):
    facecom.errors.ScanError: face.ply does not exist; check the path
    """
    settings = settings or DesignSettings()
    return design_on(_prepared(_completed(scan, completion_options), settings), settings)


def design_all(
    scan: Any,
    *,
    settings: DesignSettings | None = None,
    completion_options: CompletionOptions | None = None,
    progress: Progress | None = None,
) -> list[Prosthesis]:
    """Design a part for each missing part of a face, largest first; see `design`.

    Where a region is named there is one part; where some of the scan was marked, those for what was marked. One that
    is refused is left out, and the first of the others warns of it.

    Parameters
    ----------
    progress : called with what begins and the share of the work before it, once the scan is completed; what it raises
        ends the work
    """
    settings = settings or DesignSettings()
    completion = _completed(scan, completion_options)
    if settings.region is not None:
        return [design(completion, settings=settings)]
    source = DesignSurface.from_completion(completion)
    found = defects_of(source, margin_mm=settings.margin_mm, least_mm2=settings.least_mm2)
    parts, refused = [], []
    for k, defect in enumerate(found):
        try:
            tell = _of_part(progress, k, len(found))
            parts.append(design_on(source, replace(settings, part=k), defect=defect, progress=tell))
        except ScanError as error:
            refused.append((k, defect, error))
    if not parts:
        raise refused[0][2]
    return [replace(parts[0], warnings=(*parts[0].warnings, *_refusals(refused))), *parts[1:]] if refused else parts


def _refusals(refused: list[tuple[int, Defect, ScanError]]) -> list[str]:
    return [
        f"of {defect.area_mm2:.0f} mm2 that are missing elsewhere (part {k}) no part was made: {error}"
        for k, defect, error in refused
    ]


def _of_part(progress: Progress | None, index: int, count: int) -> Progress | None:
    """The progress of one part, told as that of all."""
    return None if progress is None else lambda step, share: progress(step, (index + share) / count)


def alternatives(
    scan: Any,
    count: int,
    *,
    settings: DesignSettings | None = None,
    completion_options: CompletionOptions | None = None,
) -> list[Prosthesis]:
    """Design the part for other faces that explain the scan as well, drawn from the posterior; see `design`.

    Only shape is drawn: these designs carry no skin relief.

    Raises
    ------
    ValueError
        When `count` is negative.
    """
    settings = settings or DesignSettings()
    source = _prepared(_completed(scan, completion_options), settings)
    others = source.completion.samples(count, seed=settings.seed)
    return [design_on(source.with_completion(other), settings) for other in others]


def _completed(scan: Any, options: CompletionOptions | None) -> Completion:
    """What is given, completed where it is a scan."""
    if not isinstance(scan, Completion):
        return complete(scan, **(options or {}))
    if options:
        raise ValueError(
            f"the face is completed already, so that {', '.join(options)} can change nothing; "
            "give the scan, or complete it with these options"
        )
    return scan


def _prepared(completion: Completion, settings: DesignSettings) -> DesignSurface:
    """The surface to design on: of the scan as it is, or without the region, mirrored where that is asked for."""
    if settings.region is None:
        return DesignSurface.from_completion(completion)
    ear = settings.region in EARS
    source = (without_ear if ear else without_region)(completion, settings.region)
    if settings.mirror == "never" or (settings.mirror == "auto" and not ear):
        return source
    return mirror_region(source, region_mask(source.template, settings.region))


def design_on(
    source: DesignSurface,
    settings: DesignSettings,
    *,
    defect: Defect | None = None,
    progress: Progress | None = None,
) -> Prosthesis:
    """Design the part of a prepared surface; see `design`.

    Parameters
    ----------
    source : DesignSurface
    settings : DesignSettings
    defect : Defect or None, the one that the settings name, where it is known
    progress : called with the step that begins and the share of the work before it
    """
    tell = progress or (lambda step, share: None)
    tell("border", 0.0)
    defect = _named_defect(source, settings) if defect is None else defect
    near = neighbourhood(source.merged, defect, margin_mm=settings.margin_mm, cavities=source.cavities)
    outward_normal = vector_area(source.merged, defect.faces)
    initial = initial_outer_surface(near, _thickness(settings), towards=outward_normal)
    axis, least_axis = _axes(initial, outward_normal, settings)
    rotation = axis_frame(axis)
    source, cuts = (
        trim_remnants(source, defect, axis, thickness=_thickness(settings)) if settings.trim else (source, ())
    )
    begin, end = SHELL_SHARES
    shell = _shell(
        source, near, axis, settings=settings, progress=lambda share: tell("shell", begin + share * (end - begin))
    )
    refuse_unwearable(source, shell, settings)
    tell("mould", end)
    mould = build_mould(shell, settings=settings.mould)
    tell("inspection", INSPECTION_SHARE)
    to_face = source.completion.context.fit.pose
    face_to_scan = to_face.inverse()
    (part, kept), axis_in_scan = _placed(shell.solid, rotation, face_to_scan), face_to_scan.rotate(axis)
    tissue = source.tissue.with_vertices(face_to_scan.apply(source.tissue.vertices))
    check = check_part(part, tissue, axis=axis_in_scan, edge_mm=settings.edge_mm, bounds=settings.bounds)
    found = inspect_part(
        source, shell, check=check, cuts=cuts, rotation=rotation, least_axis=least_axis, settings=settings
    )
    return Prosthesis(
        shell=part,
        mould_a=_placed(mould.face, rotation, face_to_scan)[0],
        mould_b=_placed(mould.back, rotation, face_to_scan)[0],
        provenance=found.provenance[kept],
        sigma_mm=found.sigma_mm[kept],
        axis=axis_in_scan,
        pose=source.pose,
        to_face=to_face,
        inspection=found.inspection,
        settings=settings,
        input_sha256=source.sha256(),
        versions=package_versions(*PACKAGES),
        warnings=tuple(warnings_about(source, shell, found.inspection, settings)),
    )


def _named_defect(source: DesignSurface, settings: DesignSettings) -> Defect:
    return select_defect(
        source,
        region=settings.region,
        part=settings.part,
        margin_mm=settings.margin_mm,
        least_mm2=settings.least_mm2,
    )


def _thickness(settings: DesignSettings) -> Thickness:
    return Thickness(
        settings.edge_mm,
        settings.lip_mm,
        settings.wall_mm,
        settings.clearance_mm + grid_allowance_mm(settings.grid_mm),
        settings.margin_mm,
        settings.blend_mm,
    )


def _axes(initial: OuterSurface, outward_normal: Floats, settings: DesignSettings) -> tuple[Floats, Floats]:
    """The withdrawal axis as it is asked for, and the one with the least undercuts; (3,) each."""
    seat, _ = initial.mesh.submesh(np.asarray((initial.defect_distance[initial.mesh.faces] <= 1e-9).all(1)))
    axis = choose_axis(initial.mesh, seat, outward_normal, given=settings.axis)
    if settings.axis == "auto":
        return axis, axis
    return axis, choose_axis(initial.mesh, seat, outward_normal, given="auto")


def _shell(
    source: DesignSurface,
    near: Neighbourhood,
    axis: Floats,
    *,
    settings: DesignSettings,
    progress: Callable[[float], None],
) -> Shell:
    thickness, rotation = _thickness(settings), axis_frame(axis)
    outline = MarginOutline(
        near,
        source.merged.vertices,
        thickness,
        bed=source.bed,
        clearance_mm=settings.clearance_mm,
        towards=axis,
    )
    return build_shell(
        outline.surfaces(),
        thickness=thickness,
        rotation=rotation,
        grid_mm=settings.grid_mm,
        bed=source.bed,
        raw_tissue=source.obstacle,
        relief=None if source.detail is None else Relief(source.detail, rotation, settings.relief_edge_mm),
        outline=outline,
        progress=progress,
    )


def _placed(solid: Any, rotation: Floats, face_to_scan: Similarity) -> tuple[Mesh, Ints]:
    """A solid in the axis frame as a mesh in the scan's frame, closed in float32 too; the numbers of its vertices."""
    mesh = to_mesh(solid)
    return joined_in_float32(mesh.with_vertices(face_to_scan.apply(mesh.vertices @ rotation)))
