"""Skin detail: measured where it was seen, and made like it where it was not."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.refine import displace, energy, relief, synthesis

MEASURED, MIRRORED, OWN_SKIN, SYNTHETIC = 0, 1, 2, 3


@dataclass(frozen=True)
class DetailSettings:
    """What `add_detail` makes and how; lengths in mm."""

    border_mm: float = 6.0
    edge_mm: float = 0.2
    coarse_mm: float = 0.8
    longest_mm: float = 4.5
    decay_mm: float = 20.0
    reach_mm: float = 2.0
    source_mm: float = 14.0
    chart_spacing_mm: float = 4.5
    mirror_trust: float = 0.7
    rim_mm: float = 0.5
    quilt: synthesis.QuiltSettings = field(default_factory=synthesis.QuiltSettings)


@dataclass(frozen=True, eq=False)
class Detail:
    """Skin detail of a face: see `add_detail`."""

    mesh: Mesh
    provenance: Ints
    displacement: Floats
    smooth: Mesh
    warnings: tuple[str, ...] = ()
    damped: int = 0


def add_detail(
    scan: Mesh,
    face: Mesh,
    *,
    measured: Bools,
    mirror: Ints | None = None,
    settings: DetailSettings | None = None,
    seed: int = 0,
    _debug: dict | None = None,
) -> Detail:
    options = settings or DetailSettings()
    surface = Surface(scan)
    patch = displace.refine_patch(
        face, ~measured, border_mm=options.border_mm, edge_mm=options.edge_mm, coarse_mm=options.coarse_mm
    )
    lost = cKDTree(face.vertices[~measured])
    allowed = np.ones(len(patch.mesh.vertices), bool)
    heights = displace.scan_heights(patch, surface, reach_mm=options.reach_mm, allowed=allowed)
    seen = displace.drop_islands(patch, heights.seen, largest=200) & heights.seen
    heights = displace.Heights(np.where(seen, heights.values, 0.0), seen)
    low = displace.smooth_heights(patch, heights, cutoff_mm=options.longest_mm, decay_mm=options.decay_mm)
    charts = _charts(surface, face, measured, mirror, lost, options)
    target = _target(patch, heights, low, charts, options)
    made = synthesis.quilt(target, charts, settings=options.quilt, seed=seed)
    bands = made.bands * _gains(patch, target, made, low, options)
    rough = synthesis.continue_over_rim(bands.sum(1), target, reach_mm=options.rim_mm)
    mesh, damped = displace.displace(patch, low + rough)
    provenance = np.where(seen, MEASURED, np.where(charts.mirrored[made.source], MIRRORED, OWN_SKIN))
    if _debug is not None:
        _debug.update(locals())
    return Detail(mesh, provenance, low + rough, patch.mesh, damped=damped)


def _charts(
    surface: Surface, face: Mesh, measured: Bools, mirror: Ints | None, lost: cKDTree, options: DetailSettings
) -> relief.Charts:
    normals = vertex_normals(face.vertices, face.faces)
    distance = lost.query(face.vertices, distance_upper_bound=options.source_mm)[0]
    order = np.argsort(distance, kind="stable")
    order = order[np.isfinite(distance[order]) & measured[order]]
    own = relief.spread_points(face.vertices, options.chart_spacing_mm, order)
    centres, other = own, np.zeros(0, np.int64)
    if mirror is not None:
        order = np.flatnonzero((distance < options.source_mm / 2) & measured[mirror])
        other = relief.spread_points(face.vertices, options.chart_spacing_mm, order)
        centres = np.concatenate([own, mirror[other]])
    flag = np.arange(len(centres)) >= len(own)
    charts = relief.sample_charts(
        surface, face.vertices[centres], normals[centres], mirrored=flag, longest_mm=options.longest_mm
    )
    flip = np.array([-1.0, 1.0, 1.0])
    home = face.vertices[other] - flip * face.vertices[centres[flag]]
    charts.points[flag] = charts.points[flag] * flip.astype(np.float32) + home[:, None, None].astype(np.float32)
    return charts


def _gains(patch, target, made, low, options) -> Floats:
    """Factor for each band and vertex that brings what was made to the wanted energies."""
    missing = np.flatnonzero(~target.known & (target.depth > 1.0))
    if not len(missing):
        return np.ones_like(made.bands)
    first = np.where(target.known, target.relief, made.bands.sum(1))
    trial = Surface(displace.displace(patch, low + first)[0])
    order = missing[np.argsort(-target.depth[missing], kind="stable")]
    centres = relief.spread_points(target.points, options.chart_spacing_mm, order)
    charts = relief.sample_charts(
        trial,
        target.points[centres],
        target.normals[centres],
        mirrored=np.zeros(len(centres), bool),
        longest_mm=options.longest_mm,
        half_mm=4.0,
    )
    coarse = patch.coarse.vertices
    got, found = energy.energy_near(charts, coarse, mirrored=False)
    wanted = target.energy[: len(coarse)]
    inside = found & ~target.known[: len(coarse)]
    off = energy.wanted_energy(
        patch.coarse,
        wanted - got,
        inside,
        other=got,
        other_seen=np.zeros(len(got), bool),
        trust=0.0,
        range_mm=1e3,
        spread=1.4,
    )
    return np.exp(0.5 * np.clip(patch.raise_matrix @ off, -1.4, 1.4))


def _target(patch, heights, low, charts, options) -> synthesis.Target:
    coarse = patch.coarse
    own, own_seen = energy.energy_near(charts, coarse.vertices, mirrored=False)
    other, other_seen = energy.energy_near(charts, coarse.vertices, mirrored=True)
    wanted = energy.wanted_energy(coarse, own, own_seen, other=other, other_seen=other_seen, trust=options.mirror_trust)
    return synthesis.Target(
        points=patch.mesh.vertices,
        normals=patch.normals,
        known=heights.seen,
        relief=heights.values - low,
        depth=displace.rim_distance(patch, heights.seen),
        energy=patch.raise_matrix @ wanted,
    )
