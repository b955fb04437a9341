"""Design a prosthesis for a completed face: the part, its mould and the figures that a clinician looks at."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.geometry.transform import Similarity
from facecom.prosthesis.axis import Axis, axis_frame, choose_axis
from facecom.prosthesis.inspection import Inspection, inspect_part
from facecom.prosthesis.mould import MouldSettings, build_mould
from facecom.prosthesis.sheet import cut_sheet, find_defects, vector_area
from facecom.prosthesis.shell import Thickness, build_shell, outer_face, slack, tissue_mesh
from facecom.prosthesis.solids import to_mesh
from facecom.prosthesis.source import Source, mirrored, pick_defect, region_mask, without_region

if TYPE_CHECKING:
    import os

    from facecom.completion import Completion


@dataclass(frozen=True)
class DesignSettings:
    """Everything that affects a part besides the completion; lengths in mm.

    The lengths are starting points that a clinician confirms for each patient, not rules.

    Parameters
    ----------
    margin_mm : width of the band that lies on healthy skin
    edge_mm : thickness at the margin's outer border
    lip_mm : thickness at the defect's edge, where the part leaves the skin; the outer face stands out by as much
        there. `lip_mm=wall_mm` feathers the whole wall over the margin, at the price of a ridge of that height.
    wall_mm : thickness over the open cavity
    blend_mm : width of the band within the defect over which lip becomes wall
    clearance_mm : gap between the part and the tissue
    axis : withdrawal axis in the face frame: "auto", "front" or three numbers
    density_g_cm3 : for the mass
    grid_mm : cell of the grid on which the inner face is found
    least_mm2 : smaller missing parts are not looked at
    region : name of the template region that is replaced, where it is not simply what the scan lacks
    mirror : "auto" copies an ear from the other side where that was seen, "always" any region, "never" none
    part : which of several missing parts, the largest is 0
    mould : MouldSettings
    seed : of the random steps; recorded with the part
    """

    margin_mm: float = 5.0
    edge_mm: float = 0.3
    lip_mm: float = 0.6
    wall_mm: float = 3.0
    blend_mm: float = 5.0
    clearance_mm: float = 0.1
    axis: Axis = "auto"
    density_g_cm3: float = 1.1
    grid_mm: float = 0.7
    least_mm2: float = 300.0
    region: str | None = None
    mirror: Literal["auto", "always", "never"] = "auto"
    part: int = 0
    mould: MouldSettings = field(default_factory=MouldSettings)
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = {f.name: getattr(self, f.name) for f in fields(self) if f.type == "float"}
        wrong = [n for n, v in numbers.items() if not np.isfinite(v) or v < 0 or (v == 0 and n != "clearance_mm")]
        if wrong:
            raise ValueError(f"{wrong[0]} must be a positive length, got {numbers[wrong[0]]}")
        if self.mirror not in ("auto", "always", "never"):
            raise ValueError(f"mirror must be 'auto', 'always' or 'never', got {self.mirror!r}")
        if not self.edge_mm <= self.lip_mm <= self.wall_mm:
            raise ValueError(
                f"the thickness must not fall from edge ({self.edge_mm:g} mm) over lip ({self.lip_mm:g} mm) to wall "
                f"({self.wall_mm:g} mm); choose edge_mm <= lip_mm <= wall_mm"
            )


@dataclass(frozen=True, eq=False)
class Prosthesis:
    """A part and its mould in the scan's own frame, in mm: a design aid, no medical device; a clinician decides.

    Parameters
    ----------
    shell, mould_a, mould_b : Mesh, closed; a shapes the visible skin, b the inner face
    provenance : (V,) int for each vertex of `shell`: 0 measured, 1 mirrored, 2 made, -1 where it is not the outer face
    sigma_mm : (V,) float, NaN where it is not the outer face
    axis : (3,) float, unit, withdrawal axis in the scan's frame
    to_face : Similarity, scan frame in mm -> face frame
    inspection : Inspection
    settings : DesignSettings
    input_sha256 : of the completed surface that it was made from
    versions : of the packages that took part
    warnings : tuple of str
    """

    shell: Mesh
    mould_a: Mesh
    mould_b: Mesh
    provenance: Ints
    sigma_mm: Floats
    axis: Floats
    to_face: Similarity
    inspection: Inspection
    settings: DesignSettings
    input_sha256: str
    versions: dict[str, str]
    warnings: tuple[str, ...]

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write shell.stl, .3mf and .ply, mould_a.stl, mould_b.stl, inspection.json and .png, and prosthesis.json.

        Equal parts give equal bytes; a file appears under its name only when it is complete.

        Raises
        ------
        ScanError
            When the folder cannot be written.
        """
        from facecom.prosthesis.files import save_prosthesis

        save_prosthesis(self, directory)


def design(completion: Completion, **options: Any) -> Prosthesis:
    """Design the part that a completed face lacks, and its mould.

    Parameters
    ----------
    completion : Completion
    options : the fields of `DesignSettings`

    Returns
    -------
    Prosthesis

    Raises
    ------
    ScanError
        When nothing is missing, or what is missing has no healthy skin around it.
    ValueError
        On lengths that do not fit together, an unknown region, or an impossible axis.
    """
    settings = DesignSettings(**options)
    return design_source(_prepared(completion, settings), settings)


def design_all(completion: Completion, **options: Any) -> list[Prosthesis]:
    """Design a part for each missing part of a completed face, largest first; see `design`.

    Where a region is named there is one part.
    """
    settings = DesignSettings(**options)
    if settings.region is not None:
        return [design(completion, **options)]
    source = Source.of(completion)
    found = find_defects(source.merged, source.made, margin_mm=settings.margin_mm, least_mm2=settings.least_mm2)
    return [design_source(source, replace(settings, part=k)) for k in range(len(found))]


def alternatives(completion: Completion, count: int, **options: Any) -> list[Prosthesis]:
    """Design the part for other faces that explain the scan as well, drawn from the posterior; see `design`.

    Raises
    ------
    ValueError
        When `count` is negative.
    """
    settings = DesignSettings(**options)
    source = _prepared(completion, settings)
    others = source.completion.samples(count, seed=settings.seed)
    return [design_source(Source.of(other, bed=source.bed), settings) for other in others]


def _prepared(completion: Completion, settings: DesignSettings) -> Source:
    """The surface to design on: of the scan as it is, or without the region, mirrored where that is asked for."""
    if settings.region is None:
        return Source.of(completion)
    ear = settings.region.endswith("ear")
    mask = region_mask(completion.evidence.model.template, settings.region)
    source = Source.of_face(completion, mask) if ear else without_region(completion, settings.region)
    if settings.mirror == "never" or (settings.mirror == "auto" and not ear):
        return source
    return mirrored(source, mask)


def design_source(source: Source, settings: DesignSettings) -> Prosthesis:
    """Design the part of a prepared surface; see `design`."""
    defect = pick_defect(
        source,
        region=settings.region,
        part=settings.part,
        margin_mm=settings.margin_mm,
        least_mm2=settings.least_mm2,
    )
    sheet, wide, own = cut_sheet(source.merged, defect, margin_mm=settings.margin_mm, beyond_mm=3.0)
    thickness = Thickness(
        settings.edge_mm,
        settings.lip_mm,
        settings.wall_mm,
        settings.clearance_mm + slack(settings.grid_mm),
        settings.margin_mm,
        settings.blend_mm,
    )
    around = outer_face(wide, thickness)
    outer = sheet.mesh.with_vertices(own @ around.vertices)
    seat, _ = sheet.mesh.submesh(np.asarray((sheet.inward[sheet.mesh.faces] <= 1e-9).all(1)))
    axis = choose_axis(outer, seat, vector_area(source.merged, defect.faces), given=settings.axis)
    turn = axis_frame(axis)
    tissue = tissue_mesh(wide, source.bed, settings.clearance_mm)
    shell = build_shell(
        replace(sheet, mesh=outer),
        replace(wide, mesh=around),
        tissue,
        thickness=thickness,
        turn=turn,
        grid_mm=settings.grid_mm,
        bed=source.bed,
    )
    mould = build_mould(shell, settings=settings.mould)
    found = inspect_part(source, shell, turn=turn, settings=settings)
    to_face = source.completion.evidence.fit.pose
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
    if found.undercuts.seat_mm2 > 1.0:
        out.append(
            f"{found.undercuts.seat_mm2:.0f} mm2 of the tissue catch along the axis; a stiff part does not come off"
        )
    return out
