"""Colour of what was made, from the same skin by the same means: albedo alone, nothing is said of light."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.refine import relief, synthesis
from facecom.refine.energy import extend_smoothly


def fill_color(
    scan: Mesh,
    patch: Mesh,
    *,
    seen: Bools,
    broad_mm: float = 4.5,
    source_mm: float = 13.0,
    chart_mm: float = 4.75,
    quilt: synthesis.QuiltSettings | None = None,
    seed: int = 0,
) -> Floats:
    """Colour each vertex of a patch: as the scan shows it where seen, made from the skin around it elsewhere.

    Broad colour is carried in from the rim as a membrane, what is finer than `broad_mm` is quilted.

    Parameters
    ----------
    scan : Mesh with colours, mm
    patch : Mesh, mm, the fine mesh of a hole and its border (`Detail.mesh`)
    seen : (P,) bool, patch vertices that lie on the scan
    source_mm, chart_mm : how far from the hole skin is taken from, and the distance of the charts
    quilt : how patches are chosen and laid
    seed : int

    Returns
    -------
    (P, 3) float in 0..1

    Raises
    ------
    ValueError
        When the scan has no colours, `seen` has the wrong length, or nothing was seen.
    """
    if scan.colors is None:
        raise ValueError("the scan has no colours, so there are none to continue; give a scan with vertex colours")
    if seen.shape != (len(patch.vertices),):
        raise ValueError(f"seen has shape {seen.shape} for {len(patch.vertices)} vertices of the patch")
    if not seen.any():
        raise ValueError("no vertex of the patch is seen, so there is no colour to continue")
    quilt = quilt or synthesis.QuiltSettings()
    surface = Surface(scan)
    colors = np.zeros((len(seen), 3))
    colors[seen] = _on(surface, patch.vertices[seen], scan.colors)
    broad = _broad(patch, colors, seen, broad_mm)
    if not (~seen).any():
        return colors
    charts = _color_charts(surface, scan, patch, seen, broad_mm, source_mm, chart_mm)
    made = broad
    if synthesis.has_room(charts, quilt.radius_mm):
        fine = synthesis.quilt(_target(patch, colors - broad, seen, charts), charts, settings=quilt, seed=seed)
        made = broad + fine.bands
    return np.clip(np.where(seen[:, None], colors, made), 0.0, 1.0)


def _on(surface: Surface, points: Floats, colors: Floats) -> Floats:
    closest = surface.closest(points)
    return np.einsum("qk,qkc->qc", closest.barycentric, colors[surface.mesh.faces[closest.faces]])


def _broad(patch: Mesh, colors: Floats, seen: Bools, broad_mm: float) -> Floats:
    """Colour without what is finer than `broad_mm`, carried on where nothing was seen."""
    tree = cKDTree(patch.vertices[seen])
    sigma = relief.gaussian_width(broad_mm)
    points = relief.spread_points(patch.vertices, 0.5 * sigma, np.flatnonzero(seen))
    near = tree.query_ball_point(patch.vertices[points], 2.5 * sigma)
    own = colors[seen]
    mean = np.empty((len(points), 3))
    for row, (point, ids) in enumerate(zip(points, near, strict=True)):
        gap = ((tree.data[ids] - patch.vertices[point]) ** 2).sum(1)
        mean[row] = np.average(own[ids], axis=0, weights=np.exp(-0.5 * gap / sigma**2))
    values, given = np.zeros_like(colors), np.zeros(len(seen), bool)
    values[points], given[points] = mean, True
    return extend_smoothly(patch, values, given, hold=30.0)


def _color_charts(
    surface: Surface, scan: Mesh, patch: Mesh, seen: Bools, broad_mm: float, source_mm: float, chart_mm: float
) -> relief.Charts:
    """Charts whose three bands are the fine parts of red, green and blue."""
    lost = cKDTree(patch.vertices[~seen])
    normals = vertex_normals(scan.vertices, scan.faces)
    distance = lost.query(scan.vertices, distance_upper_bound=source_mm)[0]
    order = np.argsort(distance, kind="stable")
    order = order[np.isfinite(distance[order])]
    centres = relief.spread_points(scan.vertices, chart_mm, order)
    shape = relief.sample_charts(
        surface, scan.vertices[centres], normals[centres], mirrored=np.zeros(len(centres), bool), longest_mm=broad_mm
    )
    weight = shape.valid.astype(np.float32)
    flat = shape.points.reshape(-1, 3).astype(float)
    colors = np.zeros((len(flat), 3))
    valid = shape.valid.ravel()
    colors[valid] = _on(surface, flat[valid], scan.colors if scan.colors is not None else scan.vertices)
    image = np.moveaxis(colors.reshape(*shape.valid.shape, 3), -1, 1).astype(np.float32)
    each = np.repeat(weight[:, None], 3, axis=1)
    low = relief.masked_blur(image, each, relief.gaussian_width(broad_mm) / shape.pixel_mm)
    fine = ((image - low) * each).astype(np.float32)
    energy = relief.local_energy(fine, weight, pixel_mm=shape.pixel_mm, window_mm=1.25)
    return relief.Charts(
        shape.centres, shape.frames, fine, shape.valid, energy, shape.points, shape.mirrored, shape.pixel_mm
    )


def _target(patch: Mesh, fine: Floats, seen: Bools, charts: relief.Charts) -> synthesis.Target:
    valid = charts.valid
    energy = np.median(np.moveaxis(charts.energy, 1, -1)[valid], axis=0).astype(float)
    rim = cKDTree(patch.vertices[seen]).query(patch.vertices)[0]
    return synthesis.Target(
        points=patch.vertices,
        normals=vertex_normals(patch.vertices, patch.faces),
        known=seen,
        relief=np.where(seen, fine.sum(1), 0.0),
        depth=np.where(seen, -1.0, rim),
        energy=np.tile(energy, (len(seen), 1)),
    )
