"""Skin detail of one hole and its border: measure, judge, make, add."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, vertex_normals
from facecom.provenance import Provenance
from facecom.skin import band_power, fine_patch, noise_bands, quilting, relief, safe_displacement, synthetic_skin
from facecom.skin.noise_bands import BandReport
from facecom.skin.types import Detail, DetailSettings

FEW = 24
"""Height maps of the first look."""


@dataclass(frozen=True, eq=False)
class FaceAttributes:
    """What is known of each face vertex: measured, its partner on the other side, its region, how it is squeezed."""

    measured: Bools
    mirror: Ints | None
    region: Ints | None
    squeeze: Floats | None = None


def infeasibility_reason(
    surface: Surface, face: Mesh, missing: Bools, sides: FaceAttributes, options: DetailSettings
) -> str:
    """Why no relief can be made for this hole, or an empty text: a look that costs little beside the making.

    The spacing of the triangles around the hole, then a few height maps of the skin there.
    """
    area = float(vertex_areas(face.vertices, face.faces)[missing].sum())
    if area > options.largest_mm2:
        return (
            f"{area:.0f} mm² of skin are missing, more than {options.largest_mm2:.0f}, so they stay smooth; "
            "name a smaller part with `where` or raise `largest_mm2`"
        )
    if options.mode == "synthetic":
        return ""
    few = _centres(face, missing, sides, options)[0][:FEW]
    if not len(few):
        return "no skin is seen around what is missing, so there is none to continue and it stays smooth"
    spacing = noise_bands.local_spacing(surface.mesh, surface.closest(face.vertices[few]).faces)
    if not noise_bands.resolves_any(spacing, longest_mm=options.longest_mm):
        return noise_bands.too_coarse(spacing, longest_mm=options.longest_mm)
    normals = vertex_normals(face.vertices, face.faces)[few]
    charts = relief.sample_height_patches(
        surface, face.vertices[few], normals, mirrored=np.zeros(len(few), bool), longest_mm=options.longest_mm
    )
    seen = noise_bands.report_bands(charts, spacing_mm=spacing, longest_mm=options.longest_mm)
    # noise that half the height maps could deny is left to the full measurement
    hopeless = charts.valid.any() and not seen.usable.any()
    return seen.sentence() if hopeless else ""


def detail_of_hole(
    surface: Surface, face: Mesh, missing: Bools, sides: FaceAttributes, options: DetailSettings, seed: int
) -> Detail:
    """Detail of one hole and its border."""
    patch = fine_patch.refine_patch(
        face, missing, border_mm=options.border_mm, edge_mm=options.edge_mm, coarse_mm=options.coarse_mm
    )
    heights = fine_patch.scan_heights(patch, surface, reach_mm=options.reach_mm)
    low = fine_patch.smooth_heights(
        patch,
        heights,
        cutoff_mm=options.longest_mm,
        decay_mm=options.decay_mm,
        uncrease_mm=options.uncrease_mm,
    )
    charts = _charts(surface, face, missing, sides, options)
    bands = _bands(surface.mesh, heights, charts, options)
    if options.mode == "synthetic" and not bands.usable.any():
        charts, bands = _generic(charts, bands, options, seed)
    stop = _unmakeable(charts, bands, options)
    if stop:
        made, source = np.zeros(len(low)), np.full(len(low), Provenance.MODEL)
    else:
        made, source = _make(patch, heights, low, charts, bands, sides, options, seed)
    height = np.where(heights.seen, heights.values, low + made)
    moved = safe_displacement.displace_uncrossed(patch, height, calm=low, seen=heights.seen)
    # what had to leave the scan is neither measured nor made
    kind = np.where(heights.seen, np.where(moved.lowered, Provenance.MODEL, Provenance.OBSERVED), source)
    mesh, used = moved.mesh.submesh(np.ones(len(moved.mesh.faces), bool))
    return Detail(
        mesh=mesh,
        smooth=Mesh(patch.mesh.vertices[used], mesh.faces, uv=mesh.uv),
        normals=patch.normals[used],
        displacement=np.einsum("pd,pd->p", mesh.vertices - patch.mesh.vertices[used], patch.normals[used]),
        low=low[used],
        provenance=kind[used],
        bands=bands,
        warnings=tuple(([stop] if stop else []) + _mended(moved)),
        generic=not stop and options.mode == "synthetic" and not charts.measured,
    )


def _mended(moved: safe_displacement.Displaced) -> list[str]:
    """What had to be changed so that the fine skin neither folds nor crosses itself."""
    said, lowered = [], int(moved.lowered.sum())
    if lowered:
        said.append(
            f"{lowered} of {len(moved.lowered)} fine vertices were lowered, since their relief would fold the mesh"
        )
    if moved.dropped:
        said.append(f"{moved.dropped} fine triangles of seen skin were left out, since they would cross others")
    if moved.crossing:
        said.append(f"the fine skin crosses itself at {moved.crossing} edges")
    return said


def _charts(
    surface: Surface,
    face: Mesh,
    missing: Bools,
    sides: FaceAttributes,
    options: DetailSettings,
) -> relief.HeightPatches:
    """Height maps of the skin around the hole and of the other side, the latter turned over to this one."""
    normals = vertex_normals(face.vertices, face.faces)
    own, other = _centres(face, missing, sides, options)
    centres = own if sides.mirror is None else np.concatenate([own, sides.mirror[other]])
    flag = np.arange(len(centres)) >= len(own)
    charts = relief.sample_height_patches(
        surface, face.vertices[centres], normals[centres], mirrored=flag, longest_mm=options.longest_mm
    )
    flip = np.array([-1.0, 1.0, 1.0])
    home = face.vertices[other] - flip * face.vertices[centres[flag]]
    charts.points[flag] = charts.points[flag] * flip.astype(np.float32) + home[:, None, None].astype(np.float32)
    return charts


def _centres(face: Mesh, missing: Bools, sides: FaceAttributes, options: DetailSettings) -> tuple[Ints, Ints]:
    """Face vertices where skin is measured, nearest to the hole first: on this side, and those whose partners serve."""
    distance = cKDTree(face.vertices[missing]).query(face.vertices, distance_upper_bound=options.source_mm)[0]
    order = np.argsort(distance, kind="stable")
    allowed = sides.measured & np.isfinite(distance)
    if sides.region is not None:
        allowed &= np.isin(sides.region, np.unique(sides.region[missing]))
    own = relief.spread_points(face.vertices, options.chart_mm, order[allowed[order]])
    other = np.zeros(0, np.int64)
    if sides.mirror is not None:
        order = np.flatnonzero((distance < 0.5 * options.source_mm) & sides.measured[sides.mirror])
        other = relief.spread_points(face.vertices, options.chart_mm, order)
    return own, other


def _bands(
    scan: Mesh, heights: fine_patch.Heights, charts: relief.HeightPatches, options: DetailSettings
) -> BandReport:
    seen = heights.faces[heights.seen]
    spacing = noise_bands.local_spacing(scan, seen) if len(seen) else np.inf
    return noise_bands.report_bands(charts, spacing_mm=spacing, longest_mm=options.longest_mm)


def _generic(
    charts: relief.HeightPatches, bands: BandReport, options: DetailSettings, seed: int
) -> tuple[relief.HeightPatches, BandReport]:
    made = synthetic_skin.synthetic_patches(count=48, longest_mm=options.longest_mm, seed=seed)
    return made, replace(bands, usable=np.ones_like(bands.usable))


def _unmakeable(charts: relief.HeightPatches, bands: BandReport, options: DetailSettings) -> str:
    """Why nothing can be made from what was measured, or an empty text."""
    if not len(charts.centres):
        return "no skin is seen around what is missing, so there is none to continue and it stays smooth"
    if not bands.usable.any():
        return bands.sentence()
    if not quilting.has_room(charts, options.quilt.radius_mm):
        return (
            f"no window of {2 * options.quilt.radius_mm:.1f} mm of even skin is seen around what is missing, "
            "so it stays smooth"
        )
    return ""


def _make(
    patch: fine_patch.FinePatch,
    heights: fine_patch.Heights,
    low: Floats,
    charts: relief.HeightPatches,
    bands: BandReport,
    sides: FaceAttributes,
    options: DetailSettings,
    seed: int,
) -> tuple[Floats, Ints]:
    """Relief (P,) of every vertex and where it comes from."""
    target = _target(patch, heights, low, charts, bands, sides, options)
    quilted = quilting.quilt(target, charts, settings=options.quilt, seed=seed)
    parts = quilted.bands * bands.usable
    for _ in range(options.corrections):
        parts = parts * _gains(patch, target, parts, low, options)
    generic_skin = options.mode == "synthetic" and not charts.measured
    wanted = options.lean if generic_skin else quilting.expected_skewness(charts, options.lean, options.lean_share)
    leaning = quilting.skewness_offset(parts[:, :3].sum(1), target, wanted=wanted)
    rough = quilting.continue_over_rim(parts.sum(1) + leaning, target, reach_mm=options.rim_mm)
    rough = _without_low_pass(patch, heights, rough, target.depth, options)
    kind = np.where(charts.mirrored[quilted.source], Provenance.MIRRORED, Provenance.SYNTHESISED)
    return rough, np.full(len(rough), Provenance.SYNTHESISED) if generic_skin else kind


def _without_low_pass(
    patch: fine_patch.FinePatch, heights: fine_patch.Heights, rough: Floats, depth: Floats, options: DetailSettings
) -> Floats:
    """Take out of the made relief what is smoother than its band."""
    everywhere = replace(heights, values=rough, seen=np.ones(len(rough), bool))
    smooth = fine_patch.smooth_heights(patch, everywhere, cutoff_mm=options.longest_mm, decay_mm=options.decay_mm)
    return rough - smooth * (1.0 - np.exp(-0.5 * (np.maximum(depth, 0.0) / options.rim_mm) ** 2))


def _gains(
    patch: fine_patch.FinePatch, target: quilting.QuiltTarget, parts: Floats, low: Floats, options: DetailSettings
) -> Floats:
    """Factor for each vertex and band that brings what was made to the wanted energies.

    The longest band takes more of the next finer one's factor than of its own: it lacks its longest waves, which
    patches cannot carry, and making up for them in its shorter ones raises the next band as much, since the filters
    that split bands overlap.
    """
    missing = np.flatnonzero(~target.known & (target.depth > 1.0))
    if not len(missing):
        return np.ones_like(parts)
    first = np.where(target.known, target.relief, parts.sum(1))
    trial = Surface(safe_displacement.displace(patch, low + first)[0])
    order = missing[np.argsort(-target.depth[missing], kind="stable")]
    centres = relief.spread_points(target.points, options.chart_mm, order)
    seen = relief.sample_height_patches(
        trial,
        target.points[centres],
        target.normals[centres],
        mirrored=np.zeros(len(centres), bool),
        longest_mm=options.longest_mm,
        half_mm=4.0,
    )
    coarse = patch.coarse.vertices
    got, found = band_power.observed_band_power(seen, seen.energy, coarse, mirrored=False)
    inside = found & ~target.known[: len(coarse)]
    if not inside.any():
        return np.ones_like(parts)
    off = band_power.extend_smoothly(patch.coarse, target.energy[: len(coarse)] - got, inside, hold=0.02)
    off[:, -1] = options.longest_share * off[:, -1] + (1.0 - options.longest_share) * off[:, -2]
    return np.exp(0.5 * np.clip(patch.raise_matrix @ off, -1.4, 1.4))


def _target(
    patch: fine_patch.FinePatch,
    heights: fine_patch.Heights,
    low: Floats,
    charts: relief.HeightPatches,
    bands: BandReport,
    sides: FaceAttributes,
    options: DetailSettings,
) -> quilting.QuiltTarget:
    coarse = patch.coarse
    labels = None if sides.region is None else sides.region[patch.nearest_face]
    wanted = _extrapolated(coarse, charts, charts.energy, labels, options, spread=band_power.FOLD_SPREAD)
    direction = _extrapolated(coarse, charts, charts.direction, labels, options, spread=(np.inf, np.inf))
    if wanted is None or direction is None:
        wanted = np.tile(charts.energy.mean((0, 2, 3)).astype(float), (len(coarse.vertices), 1))
        direction = np.zeros((len(coarse.vertices), 2))
    if sides.squeeze is not None:
        at = sides.squeeze[patch.nearest_face]
        direction = band_power.with_tension_lines(direction, at, patch.normals[: len(at)], share=options.tension_share)
    clean = np.exp(wanted) - bands.noise_rms_mm**2
    wanted = np.log(np.maximum(clean, 0.05 * np.exp(wanted)))
    return quilting.QuiltTarget(
        points=patch.mesh.vertices,
        normals=patch.normals,
        known=heights.seen,
        relief=heights.values - low,
        depth=fine_patch.rim_distance(patch, heights.seen),
        energy=patch.raise_matrix @ wanted,
        direction=patch.raise_matrix @ direction,
    )


def _extrapolated(
    coarse: Mesh,
    charts: relief.HeightPatches,
    values: relief.Singles,
    labels: Ints | None,
    options: DetailSettings,
    *,
    spread: tuple[float, ...],
) -> Floats | None:
    """What the charts measured, on every vertex of the coarse level; None where they show none of the skin here."""
    own, own_seen = band_power.observed_band_power(charts, values, coarse.vertices, mirrored=False)
    if not charts.measured or not own_seen.any():
        return None
    other, other_seen = band_power.observed_band_power(charts, values, coarse.vertices, mirrored=True)
    return band_power.target_band_power(
        coarse,
        own,
        own_seen,
        other=other,
        other_seen=other_seen,
        trust=options.mirror_trust,
        region=labels,
        spread=spread,
    )
