"""Skin detail: measured where it was seen, and made like it where it was not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.refine import carried, displace, energy, generic, relief, synthesis
from facecom.refine.carried import BandReport
from facecom.refine.holes import enclosed_holes

MEASURED, MIRRORED, OWN_SKIN, SYNTHETIC, NONE = 0, 1, 2, 3, 4
PROVENANCE_NAMES = ("measured", "mirrored", "synthesised from own skin", "synthetic", "none")
DetailMode = Literal["own", "synthetic"]


@dataclass(frozen=True)
class DetailSettings:
    """What `add_detail` makes and how; lengths in mm.

    Parameters
    ----------
    mode : "own" makes relief from this person's skin or none; "synthetic" falls back to a generic skin
    border_mm : how far the fine mesh reaches over the seen skin
    edge_mm : longest edge of the fine mesh
    coarse_mm : edge at which smooth fields are solved, at most
    longest_mm : longer waves are shape and belong to the smooth face
    decay_mm : over what distance the smooth face's own error at the rim is carried into the hole
    reach_mm : how far the scan may lie from the face
    source_mm : how far from the hole skin is taken from, here and on the mirrored side
    chart_mm : distance of the height maps that measure it
    mirror_trust : share of the mirrored side's changes of relief energy that is believed
    lean, lean_share : skewness that skin is expected to have (pores make it negative), and its weight against what
        was measured
    corrections : how often the band energies of what was made are measured and corrected
    rim_mm : over what distance the made relief is bent to meet the measured one
    largest_mm2 : more missing skin than this is left smooth, with a warning
    quilt : how patches of skin are chosen and laid
    """

    mode: DetailMode = "own"
    border_mm: float = 6.0
    edge_mm: float = 0.2
    coarse_mm: float = 0.8
    longest_mm: float = 4.5
    decay_mm: float = 20.0
    reach_mm: float = 2.0
    source_mm: float = 13.0
    chart_mm: float = 4.75
    mirror_trust: float = 0.7
    lean: float = -0.2
    lean_share: float = 0.5
    corrections: int = 2
    rim_mm: float = 0.5
    largest_mm2: float = 9000.0
    quilt: synthesis.QuiltSettings = field(default_factory=synthesis.QuiltSettings)


@dataclass(frozen=True, eq=False)
class Detail:
    """Skin detail on the fine mesh of the hole and its border.

    Parameters
    ----------
    mesh : Mesh
        The fine mesh with its relief, mm; where the scan was seen it lies on the scan.
    smooth : Mesh
        The same mesh without relief: the subdivided face.
    normals : (P, 3) float
        Its unit normals.
    displacement : (P,) float, mm
        From `smooth` to `mesh` along `normals`.
    low : (P,) float, mm
        The smooth part of it: what the face itself was off at the rim, carried into the hole.
    provenance : (P,) int
        0 measured, 1 mirrored, 2 synthesised from own skin, 3 synthetic, 4 none (smooth), see `PROVENANCE_NAMES`.
    bands : BandReport
    warnings : tuple of str
    """

    mesh: Mesh
    smooth: Mesh
    normals: Floats
    displacement: Floats
    low: Floats
    provenance: Ints
    bands: BandReport
    warnings: tuple[str, ...]


def add_detail(
    scan: Mesh,
    face: Mesh,
    *,
    measured: Bools,
    mirror: Ints | None = None,
    region: Ints | None = None,
    where: Bools | None = None,
    settings: DetailSettings | None = None,
    seed: int = 0,
) -> Detail:
    """Give the missing part of a completed face the skin of its surroundings.

    Parameters
    ----------
    scan : Mesh, cleaned, face frame, mm
    face : Mesh, the completed smooth face in the same frame
    measured : (V,) bool, face vertices that the scan shows
    mirror : (V,) int or None, the face vertex on the other side
    region : (V,) int or None
        Region of each face vertex; skin is then taken from the regions that the hole itself touches, and its energies
        are carried within them.
    where : (V,) bool or None
        Missing vertices that get detail; by default those that seen skin surrounds.
    settings : DetailSettings
    seed : int

    Raises
    ------
    ValueError
        On an unknown mode, masks of the wrong length, or when nothing is missing.

    Examples
    --------
    A rough plane with a square hole, and the flat plane as its smooth face.

    >>> from scipy.ndimage import gaussian_filter
    >>> steps = np.arange(-10, 10.1, 0.25)
    >>> x, y = np.meshgrid(steps, steps)
    >>> corner = np.arange(x.size).reshape(x.shape)
    >>> a, b, c, d = (corner[i, j].ravel() for i, j in (
    ...     (np.s_[:-1], np.s_[:-1]), (np.s_[:-1], np.s_[1:]), (np.s_[1:], np.s_[1:]), (np.s_[1:], np.s_[:-1])))
    >>> faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    >>> flat = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1)
    >>> rough = gaussian_filter(np.random.default_rng(0).normal(size=x.shape), 1.5).ravel()
    >>> gone = np.abs(flat).max(axis=1) < 2
    >>> scan = Mesh(flat + 0.1 * rough[:, None] * [0, 0, 1], faces[~gone[faces].any(1)])
    >>> made = add_detail(scan, Mesh(flat, faces), measured=~gone)
    >>> bool(made.displacement[made.provenance == 2].std() > 0.005)
    True
    """
    options = settings or DetailSettings()
    _check(face, options, measured=measured, mirror=mirror, region=region, where=where)
    missing = (~measured & where) if where is not None else enclosed_holes(face, measured)
    if not missing.any():
        raise ValueError("seen skin surrounds no missing part of the face; name the part with `where`")
    surface = Surface(scan)
    patch = displace.refine_patch(
        face, missing, border_mm=options.border_mm, edge_mm=options.edge_mm, coarse_mm=options.coarse_mm
    )
    heights = displace.scan_heights(patch, surface, reach_mm=options.reach_mm)
    low = displace.smooth_heights(patch, heights, cutoff_mm=options.longest_mm, decay_mm=options.decay_mm)
    charts = _charts(surface, face, missing, measured, mirror, region, options)
    bands = _bands(scan, heights, charts, options)
    if options.mode == "synthetic" and not bands.usable.any():
        charts, bands = _generic(charts, bands, options, seed)
    stop = _obstacle(patch, heights, charts, bands, options)
    if stop:
        made, source = np.zeros(len(low)), np.full(len(low), NONE)
    else:
        made, source = _make(patch, heights, low, charts, bands, region, options, seed)
    mesh, damped = displace.displace(patch, np.where(heights.seen, heights.values, low + made))
    warnings = [stop] if stop else []
    if damped:
        warnings.append(f"{damped} of {len(low)} fine vertices were lowered, since their relief would fold the mesh")
    return Detail(
        mesh=mesh,
        smooth=patch.mesh,
        normals=patch.normals,
        displacement=np.einsum("pd,pd->p", mesh.vertices - patch.mesh.vertices, patch.normals),
        low=low,
        provenance=np.where(heights.seen, MEASURED, source),
        bands=bands,
        warnings=tuple(warnings),
    )


def _check(face: Mesh, options: DetailSettings, **masks: Bools | Ints | None) -> None:
    if options.mode not in get_args(DetailMode):
        raise ValueError(f"mode must be one of {', '.join(get_args(DetailMode))}, got {options.mode!r}")
    for name, value in masks.items():
        if value is not None and np.shape(value) != (len(face.vertices),):
            raise ValueError(f"{name} has shape {np.shape(value)} for {len(face.vertices)} vertices of the face")


def _charts(
    surface: Surface,
    face: Mesh,
    missing: Bools,
    measured: Bools,
    mirror: Ints | None,
    region: Ints | None,
    options: DetailSettings,
) -> relief.Charts:
    """Height maps of the skin around the hole and of the other side, the latter turned over to this one."""
    normals = vertex_normals(face.vertices, face.faces)
    distance = cKDTree(face.vertices[missing]).query(face.vertices, distance_upper_bound=options.source_mm)[0]
    order = np.argsort(distance, kind="stable")
    allowed = measured & np.isfinite(distance)
    if region is not None:
        allowed &= np.isin(region, np.unique(region[missing]))
    own = relief.spread_points(face.vertices, options.chart_mm, order[allowed[order]])
    other = np.zeros(0, np.int64)
    if mirror is not None:
        order = np.flatnonzero((distance < 0.5 * options.source_mm) & measured[mirror])
        other = relief.spread_points(face.vertices, options.chart_mm, order)
    centres = own if mirror is None else np.concatenate([own, mirror[other]])
    flag = np.arange(len(centres)) >= len(own)
    charts = relief.sample_charts(
        surface, face.vertices[centres], normals[centres], mirrored=flag, longest_mm=options.longest_mm
    )
    flip = np.array([-1.0, 1.0, 1.0])
    home = face.vertices[other] - flip * face.vertices[centres[flag]]
    charts.points[flag] = charts.points[flag] * flip.astype(np.float32) + home[:, None, None].astype(np.float32)
    return charts


def _bands(scan: Mesh, heights: displace.Heights, charts: relief.Charts, options: DetailSettings) -> BandReport:
    seen = heights.faces[heights.seen]
    spacing = carried.local_spacing(scan, seen) if len(seen) else np.inf
    return carried.report_bands(charts, spacing_mm=spacing, longest_mm=options.longest_mm)


def _generic(
    charts: relief.Charts, bands: BandReport, options: DetailSettings, seed: int
) -> tuple[relief.Charts, BandReport]:
    made = generic.generic_charts(count=48, longest_mm=options.longest_mm, seed=seed)
    return made, replace(bands, usable=np.ones_like(bands.usable))


def _obstacle(
    patch: displace.FinePatch,
    heights: displace.Heights,
    charts: relief.Charts,
    bands: BandReport,
    options: DetailSettings,
) -> str:
    """Why nothing can be made, or an empty text."""
    area = float(displace.vertex_areas(patch.mesh.vertices, patch.mesh.faces)[~heights.seen].sum())
    if area > options.largest_mm2:
        return (
            f"{area:.0f} mm² of skin are missing, more than {options.largest_mm2:.0f}, so they stay smooth; "
            "name a smaller part with `where` or raise `largest_mm2`"
        )
    if not len(charts.centres):
        return "no skin is seen around what is missing, so there is none to continue and it stays smooth"
    if not bands.usable.any():
        return bands.sentence()
    if not synthesis.has_room(charts, options.quilt.radius_mm):
        return (
            f"no window of {2 * options.quilt.radius_mm:.1f} mm of even skin is seen around what is missing, "
            "so it stays smooth"
        )
    return ""


def _make(
    patch: displace.FinePatch,
    heights: displace.Heights,
    low: Floats,
    charts: relief.Charts,
    bands: BandReport,
    region: Ints | None,
    options: DetailSettings,
    seed: int,
) -> tuple[Floats, Ints]:
    """Relief (P,) of every vertex and where it comes from."""
    target = _target(patch, heights, low, charts, bands, region, options)
    quilted = synthesis.quilt(target, charts, settings=options.quilt, seed=seed)
    parts = quilted.bands * bands.usable
    for _ in range(options.corrections):
        parts = parts * _gains(patch, target, parts, low, options)
    generic_skin = options.mode == "synthetic" and not charts.measured
    wanted = options.lean if generic_skin else synthesis.expected_lean(charts, options.lean, options.lean_share)
    leaning = synthesis.lean(parts[:, :3].sum(1), target, wanted=wanted)
    rough = synthesis.continue_over_rim(parts.sum(1) + leaning, target, reach_mm=options.rim_mm)
    rough = _without_low_pass(patch, heights, rough, target.depth, options)
    kind = np.where(charts.mirrored[quilted.source], MIRRORED, OWN_SKIN)
    return rough, np.full(len(rough), SYNTHETIC) if generic_skin else kind


def _without_low_pass(
    patch: displace.FinePatch, heights: displace.Heights, rough: Floats, depth: Floats, options: DetailSettings
) -> Floats:
    """Take out of the made relief what is smoother than its band."""
    everywhere = replace(heights, values=rough, seen=np.ones(len(rough), bool))
    smooth = displace.smooth_heights(patch, everywhere, cutoff_mm=options.longest_mm, decay_mm=options.decay_mm)
    return rough - smooth * (1.0 - np.exp(-0.5 * (np.maximum(depth, 0.0) / options.rim_mm) ** 2))


def _gains(
    patch: displace.FinePatch, target: synthesis.Target, parts: Floats, low: Floats, options: DetailSettings
) -> Floats:
    """Factor for each vertex and band that brings what was made to the wanted energies."""
    missing = np.flatnonzero(~target.known & (target.depth > 1.0))
    if not len(missing):
        return np.ones_like(parts)
    first = np.where(target.known, target.relief, parts.sum(1))
    trial = Surface(displace.displace(patch, low + first)[0])
    order = missing[np.argsort(-target.depth[missing], kind="stable")]
    centres = relief.spread_points(target.points, options.chart_mm, order)
    seen = relief.sample_charts(
        trial,
        target.points[centres],
        target.normals[centres],
        mirrored=np.zeros(len(centres), bool),
        longest_mm=options.longest_mm,
        half_mm=4.0,
    )
    coarse = patch.coarse.vertices
    got, found = energy.energy_near(seen, coarse, mirrored=False)
    inside = found & ~target.known[: len(coarse)]
    if not inside.any():
        return np.ones_like(parts)
    off = energy.extend_smoothly(patch.coarse, target.energy[: len(coarse)] - got, inside)
    return np.exp(0.5 * np.clip(patch.raise_matrix @ off, -1.4, 1.4))


def _target(
    patch: displace.FinePatch,
    heights: displace.Heights,
    low: Floats,
    charts: relief.Charts,
    bands: BandReport,
    region: Ints | None,
    options: DetailSettings,
) -> synthesis.Target:
    coarse = patch.coarse
    labels = None if region is None else region[patch.nearest_face[: len(coarse.vertices)]]
    own, own_seen = energy.energy_near(charts, coarse.vertices, mirrored=False)
    other, other_seen = energy.energy_near(charts, coarse.vertices, mirrored=True)
    if charts.measured and own_seen.any():
        wanted = energy.wanted_energy(
            coarse, own, own_seen, other=other, other_seen=other_seen, trust=options.mirror_trust, region=labels
        )
    else:
        wanted = np.tile(charts.energy.mean((0, 2, 3)).astype(float), (len(coarse.vertices), 1))
    clean = np.exp(wanted) - bands.noise_rms_mm**2
    wanted = np.log(np.maximum(clean, 0.05 * np.exp(wanted)))
    return synthesis.Target(
        points=patch.mesh.vertices,
        normals=patch.normals,
        known=heights.seen,
        relief=heights.values - low,
        depth=displace.rim_distance(patch, heights.seen),
        energy=patch.raise_matrix @ wanted,
    )
