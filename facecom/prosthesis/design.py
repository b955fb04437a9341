"""Design a prosthesis for a completed face: the part, its mould and the figures that a clinician looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from facecom.completion import Completion, complete
from facecom.geometry.mesh import Floats, Mesh
from facecom.geometry.transform import Similarity
from facecom.prosthesis.defect.design_surface import (
    DesignSurface,
    mirror_region,
    pick_defect,
    without_ear,
    without_region,
)
from facecom.prosthesis.defect.neighbourhood import Defect, neighbourhood
from facecom.prosthesis.defect.regions import EARS, region_mask
from facecom.prosthesis.inspection import Inspection, inspect_part
from facecom.prosthesis.part import Prosthesis
from facecom.prosthesis.settings import DesignSettings
from facecom.prosthesis.shell.axis import axis_frame, choose_axis
from facecom.prosthesis.shell.mould import build_mould
from facecom.prosthesis.shell.outer import MarginOutline, rough_outer
from facecom.prosthesis.shell.outer_surface import OuterSurface, find_defects, vector_area
from facecom.prosthesis.shell.relief import Relief
from facecom.prosthesis.shell.shell import build_shell
from facecom.prosthesis.shell.thickness import Thickness, slack
from facecom.prosthesis.solid.booleans import to_mesh


def design(scan: Any, *, completing: Mapping[str, Any] | None = None, **options: Any) -> Prosthesis:
    """Design the part that a face lacks, and its mould.

    Parameters
    ----------
    scan : Completion, or a scan in any form that `facecom.complete` takes; it is completed first
    completing : options of `facecom.complete`, where a scan is given: unit, landmarks, detail and the like
    options : the fields of `DesignSettings`

    Returns
    -------
    Prosthesis

    Raises
    ------
    ScanError
        When nothing is missing, or what is missing has no healthy skin around it; and as `facecom.complete` does.
    ValueError
        On lengths that do not fit together, an unknown region, or an impossible axis.

    Examples
    --------
    What does not fit together is refused before any work; else `design("face.ply", wall_mm=2.5)` gives the part.

    >>> design("face.ply", wall_mm=0.2, completing={"unit": "mm"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: the thickness must not fall from edge (0.3 mm) over lip (0.6 mm) to wall (0.2 mm); ...
    """
    settings = DesignSettings(**options)
    return design_source(_prepared(_completion(scan, completing), settings), settings)


def design_all(scan: Any, *, completing: Mapping[str, Any] | None = None, **options: Any) -> list[Prosthesis]:
    """Design a part for each missing part of a face, largest first; see `design`.

    Where a region is named there is one part.
    """
    settings = DesignSettings(**options)
    completion = _completion(scan, completing)
    if settings.region is not None:
        return [design(completion, **options)]
    source = DesignSurface.of(completion)
    found = find_defects(source.merged, source.made, margin_mm=settings.margin_mm, least_mm2=settings.least_mm2)
    return [design_source(source, replace(settings, part=k), defect=defect) for k, defect in enumerate(found)]


def alternatives(
    scan: Any, count: int, *, completing: Mapping[str, Any] | None = None, **options: Any
) -> list[Prosthesis]:
    """Design the part for other faces that explain the scan as well, drawn from the posterior; see `design`.

    Only shape is drawn: these designs carry no skin relief.

    Raises
    ------
    ValueError
        When `count` is negative.
    """
    settings = DesignSettings(**options)
    source = _prepared(_completion(scan, completing), settings)
    others = source.completion.samples(count, seed=settings.seed)
    return [design_source(source.moved(other), settings) for other in others]


def _completion(scan: Any, completing: Mapping[str, Any] | None) -> Completion:
    """What is given, completed where it is a scan."""
    if not isinstance(scan, Completion):
        return complete(scan, **(completing or {}))
    if completing:
        raise ValueError(
            f"the face is completed already, so that {', '.join(completing)} can change nothing; "
            "give the scan, or complete it with these options"
        )
    return scan


def _prepared(completion: Completion, settings: DesignSettings) -> DesignSurface:
    """The surface to design on: of the scan as it is, or without the region, mirrored where that is asked for."""
    if settings.region is None:
        return DesignSurface.of(completion)
    ear = settings.region in EARS
    source = (without_ear if ear else without_region)(completion, settings.region)
    if settings.mirror == "never" or (settings.mirror == "auto" and not ear):
        return source
    return mirror_region(source, region_mask(source.template, settings.region))


def design_source(source: DesignSurface, settings: DesignSettings, *, defect: Defect | None = None) -> Prosthesis:
    """Design the part of a prepared surface; see `design`.

    defect : Defect or None, that which the settings name, where it is known
    """
    defect = defect or pick_defect(
        source,
        region=settings.region,
        part=settings.part,
        margin_mm=settings.margin_mm,
        least_mm2=settings.least_mm2,
    )
    thickness = Thickness(
        settings.edge_mm,
        settings.lip_mm,
        settings.wall_mm,
        settings.clearance_mm + slack(settings.grid_mm),
        settings.margin_mm,
        settings.blend_mm,
    )
    looks = vector_area(source.merged, defect.faces)
    near = neighbourhood(source.merged, defect, margin_mm=settings.margin_mm, cavities=source.cavities)
    axis, least = _axes(rough_outer(near, thickness, towards=looks), looks, settings)
    turn = axis_frame(axis)
    drawing = MarginOutline(
        near,
        source.merged.vertices,
        thickness,
        bed=source.bed,
        clearance_mm=settings.clearance_mm,
        towards=axis,
    )
    outer = drawing.outer()
    shell = build_shell(
        outer.sheet,
        outer.around,
        outer.tissue,
        thickness=thickness,
        turn=turn,
        grid_mm=settings.grid_mm,
        bed=source.bed,
        relief=None if source.skin is None else Relief(source.skin, turn, settings.relief_edge_mm),
        drawing=drawing,
    )
    mould = build_mould(shell, settings=settings.mould)
    found = inspect_part(source, shell, turn=turn, least=least, settings=settings)
    to_face = source.completion.context.fit.pose
    home = to_face.inverse()
    place = lambda solid: _placed(to_mesh(solid), turn, home)  # noqa: E731
    return Prosthesis(
        shell=place(shell.solid),
        mould_a=place(mould.face),
        mould_b=place(mould.back),
        provenance=found.provenance,
        sigma_mm=found.sigma_mm,
        axis=home.rotate(axis),
        to_face=to_face,
        inspection=found.inspection,
        settings=settings,
        input_sha256=source.sha256(),
        versions=_versions(),
        warnings=(*shell.warnings, *_doubts(found.inspection, settings)),
    )


def _axes(rough: OuterSurface, looks: Floats, settings: DesignSettings) -> tuple[Floats, Floats]:
    """The withdrawal axis as it is asked for, and that along which least catches; (3,) each."""
    seat, _ = rough.mesh.submesh(np.asarray((rough.inward[rough.mesh.faces] <= 1e-9).all(1)))
    axis = choose_axis(rough.mesh, seat, looks, given=settings.axis)
    return axis, axis if settings.axis == "auto" else choose_axis(rough.mesh, seat, looks, given="auto")


def _placed(mesh: Mesh, turn: Floats, home: Similarity) -> Mesh:
    return mesh.with_vertices(home.apply(mesh.vertices @ turn))


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    out = {}
    for package in ("facecom", "manifold3d", "numpy", "open3d", "scipy", "shapely"):
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            continue
    return out


def _doubts(found: Inspection, settings: DesignSettings) -> list[str]:
    """What a laboratory must mend or a clinician must decide before the part is made, a sentence each."""
    out = []
    thin = min(found.wall.min, found.rim.min)
    if thin < 0.95 * settings.edge_mm:
        out.append(f"the part is only {thin:.2f} mm thick in places, less than the edge of {settings.edge_mm:g} mm")
    if found.self_crossing_edges:
        out.append(f"the part's surface crosses itself at {found.self_crossing_edges} edges; repair it before printing")
    if found.margin.min < 0.9 * settings.margin_mm:
        out.append(
            f"the margin is {found.margin.min:.1f} mm wide in places, not {settings.margin_mm:g} mm: "
            "the skin there turns out of sight along the axis"
        )
    if found.undercuts.seat_mm2 > 1.0:
        out.append(
            f"{found.undercuts.seat_mm2:.0f} mm2 of the tissue catch along the axis; a stiff part does not come off"
        )
    return out
