"""Colour of what was made, from the same skin by the same means: albedo alone, nothing is said of light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Closest, Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, edge_lengths, unique_edges, vertex_normals
from facecom.provenance import Provenance
from facecom.skin import quilting, relief
from facecom.skin.band_power import extend_smoothly
from facecom.skin.color.rim import sound_colors
from facecom.skin.types import Detail


def fill_colors(
    scan: Mesh,
    patch: Mesh,
    *,
    seen: Bools,
    broad_mm: float = 4.5,
    coarsest_mm: float = 0.8,
    source_mm: float = 13.0,
    chart_mm: float = 4.75,
    quilt: quilting.QuiltSettings | None = None,
    seed: int = 0,
) -> Floats:
    """Colour each vertex of a patch: as the scan shows it where seen, made from the skin around it elsewhere.

    Broad colour is carried in from the rim as a membrane, where the rim is sound (`sound_colors`); what is finer than
    `broad_mm` is quilted, unless scan or patch are too coarse to show it.

    Parameters
    ----------
    scan : Mesh with colours, mm; a vertex without one (NaN) takes the nearest
    patch : Mesh, mm, the fine mesh of a hole and its border (`Detail.mesh`)
    seen : (P,) bool, patch vertices that lie on the scan
    coarsest_mm : longest median edge of scan and patch at which fine colour is made
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
    scan = colored_throughout(scan)
    if scan.colors is None:
        raise ValueError("the scan has no colours, so there are none to continue; give a scan with vertex colours")
    if seen.shape != (len(patch.vertices),):
        raise ValueError(f"seen has shape {seen.shape} for {len(patch.vertices)} vertices of the patch")
    if not seen.any():
        raise ValueError("no vertex of the patch is seen, so there is no colour to continue")
    quilt = quilt or quilting.QuiltSettings()
    surface = Surface(scan)
    colors = np.zeros((len(seen), 3))
    closest = surface.closest(patch.vertices[seen])
    colors[seen] = _mixed(scan.faces, closest, scan.colors)
    carried = _sound_colors_of(scan, scan.colors)
    scan = replace(scan, colors=carried)
    broad = _broad(scan, patch, seen, broad_mm)
    made = broad
    fine_enough = max(np.median(edge_lengths(patch)), np.median(edge_lengths(scan))) <= coarsest_mm
    if seen.all() or not fine_enough:
        return np.clip(np.where(seen[:, None], colors, made), 0.0, 1.0)
    charts = _color_charts(surface, scan, patch, seen, broad_mm, source_mm, chart_mm)
    if quilting.has_room(charts, quilt.radius_mm):
        rest = np.zeros((len(seen), 3))
        rest[seen] = _mixed(scan.faces, closest, carried) - broad[seen]
        fine = quilting.quilt(_target(patch, rest, seen, charts), charts, settings=quilt, seed=seed)
        made = broad + fine.bands
    return np.clip(np.where(seen[:, None], colors, made), 0.0, 1.0)


def colored_throughout(scan: Mesh) -> Mesh:
    """The scan with the nearest colour where a vertex has none (NaN); without colours where no vertex has one.

    Examples
    --------
    >>> points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    >>> half = Mesh(points, [[0, 1, 2]], colors=[[np.nan] * 3, [1, 0, 0], [0, 1, 0]])
    >>> bool(np.isfinite(colored_throughout(half).colors).all())
    True
    """
    if scan.colors is None:
        return scan
    known = np.isfinite(scan.colors).all(axis=1)
    if known.all():
        return scan
    if not known.any():
        return replace(scan, colors=None)
    colors = scan.colors.copy()
    nearest = cKDTree(scan.vertices[known]).query(scan.vertices[~known])[1]
    colors[~known] = scan.colors[known][nearest]
    return replace(scan, colors=colors)


def _sound_colors_of(scan: Mesh, colors: Floats) -> Floats:
    """The scan's colours, but the nearest sound one where its own, at a rim, is not to be carried on."""
    sound = sound_colors(scan)
    if sound.all():
        return colors
    out = colors.copy()
    out[~sound] = colors[sound][cKDTree(scan.vertices[sound]).query(scan.vertices[~sound])[1]]
    return out


def _mixed(faces: Ints, closest: Closest, colors: Floats) -> Floats:
    """Colours of vertices mixed at the closest points of their faces, (Q, 3)."""
    return np.einsum("qk,qkc->qc", closest.barycentric, colors[faces[closest.faces]])


def _broad(scan: Mesh, patch: Mesh, seen: Bools, broad_mm: float) -> Floats:
    """Colour without what is finer than `broad_mm`, carried on where nothing was seen.

    Hair and shadow spoil single colours at a rim, so each place takes the median of the scan around it.
    """
    sigma = relief.gaussian_width(broad_mm)
    points = relief.spread_points(patch.vertices, 0.5 * sigma, np.flatnonzero(seen))
    own = scan.vertices if scan.colors is None else scan.colors
    reach = cKDTree(scan.vertices)
    near = reach.query_ball_point(patch.vertices[points], 2.0 * sigma)
    alone = reach.query(patch.vertices[points], k=min(8, len(own)))[1].reshape(len(points), -1)
    median = [np.median(own[ids if len(ids) > 8 else few], axis=0) for ids, few in zip(near, alone, strict=True)]
    values, given = np.zeros((len(seen), 3)), np.zeros(len(seen), bool)
    values[points], given[points] = np.array(median), True
    return extend_smoothly(patch, values, given, hold=30.0)


def face_colors(scan: Mesh, face: Mesh, *, measured: Bools, mirror: Ints | None = None) -> Floats:
    """Colour each vertex of a face: as the scan shows it where measured, carried on elsewhere.

    Colours at a rim that are not sound (`sound_colors`) count as not measured.
    Where the other side was measured, its changes of colour (brow, lip) are laid on, as a guided membrane
    (Perez et al. 2003) that meets what was measured; elsewhere the membrane is even.

    Parameters
    ----------
    scan : Mesh with colours, mm; a vertex without one (NaN) takes the nearest
    face : Mesh, mm, in the same frame
    measured : (V,) bool
    mirror : (V,) int or None, the face vertex on the other side

    Returns
    -------
    (V, 3) float in 0..1

    Raises
    ------
    ValueError
        When the scan has no colours, `measured` has the wrong length, or nothing was measured.

    Examples
    --------
    >>> points, faces = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.0]]), [[0, 1, 2], [1, 3, 2]]
    >>> red = Mesh(points[:3], [[0, 1, 2]], colors=np.tile([1.0, 0, 0], (3, 1)))
    >>> face_colors(red, Mesh(points, faces), measured=np.array([True, True, True, False]))[3].round(3)
    array([1., 0., 0.])
    """
    scan = colored_throughout(scan)
    if scan.colors is None:
        raise ValueError("the scan has no colours, so there are none to continue; give a scan with vertex colours")
    if measured.shape != (len(face.vertices),) or not measured.any():
        raise ValueError(
            f"measured has shape {measured.shape} and {measured.sum()} set for {len(face.vertices)} vertices"
        )
    colors = np.zeros((len(measured), 3))
    closest = Surface(scan).closest(face.vertices[measured])
    colors[measured] = _mixed(scan.faces, closest, scan.colors)
    sound = _undoubted(scan, closest)
    measured = measured.copy()
    measured[np.flatnonzero(measured)] = sound
    if measured.all():
        return np.clip(colors, 0.0, 1.0)
    edges, _, _ = unique_edges(face.faces)
    rows, ones = np.arange(len(edges)), np.ones(len(edges))
    places = (np.r_[rows, rows], np.r_[edges[:, 0], edges[:, 1]])
    slope = sp.coo_matrix((np.r_[-ones, ones], places), (len(edges), len(measured))).tocsr()
    guide = np.zeros((len(edges), 3))
    if mirror is not None:
        other = colors[mirror]
        guide = np.where(np.all(measured[mirror][edges], axis=1)[:, None], slope @ other, 0.0)
    free = ~measured
    inner = slope[:, free]
    # a whisper of weight keeps parts that touch nothing measured solvable
    system = (inner.T @ inner + 1e-9 * sp.identity(int(free.sum()))).tocsc()
    known = slope[:, measured] @ colors[measured]
    colors[free] = splu(system).solve(inner.T @ (guide - known))
    return np.clip(colors, 0.0, 1.0)


def _undoubted(scan: Mesh, closest: Closest) -> Bools:
    """Where no corner's colour is doubted, (Q,); everywhere where else nothing was left."""
    doubted = ~sound_colors(scan)[scan.faces[closest.faces]]
    clean = np.einsum("qk,qk->q", closest.barycentric, doubted) < 1e-3
    return clean if clean.any() else ~clean


def color_detail(detail: Detail, scan: Mesh, *, seed: int = 0) -> Detail:
    """The same detail with its fine mesh coloured by `fill_color`; unchanged where the scan has no colours."""
    scan, seen = colored_throughout(scan), detail.provenance == Provenance.OBSERVED
    if scan.colors is None or not seen.any():
        return detail
    colors = fill_colors(scan, detail.mesh, seen=seen, seed=seed)
    mesh = Mesh(detail.mesh.vertices, detail.mesh.faces, uv=detail.mesh.uv, colors=colors)
    return replace(detail, mesh=mesh)


def _color_charts(
    surface: Surface, scan: Mesh, patch: Mesh, seen: Bools, broad_mm: float, source_mm: float, chart_mm: float
) -> relief.HeightPatches:
    """Charts whose three bands are the fine parts of red, green and blue."""
    lost = cKDTree(patch.vertices[~seen])
    normals = vertex_normals(scan.vertices, scan.faces)
    distance = lost.query(scan.vertices, distance_upper_bound=source_mm)[0]
    order = np.argsort(distance, kind="stable")
    order = order[np.isfinite(distance[order])]
    centres = relief.spread_points(scan.vertices, chart_mm, order)
    shape = relief.sample_height_patches(
        surface, scan.vertices[centres], normals[centres], mirrored=np.zeros(len(centres), bool), longest_mm=broad_mm
    )
    weight = shape.valid.astype(np.float32)
    flat = shape.points.reshape(-1, 3).astype(float)
    colors = np.zeros((len(flat), 3))
    valid = shape.valid.ravel()
    closest = surface.closest(flat[valid])
    colors[valid] = _mixed(scan.faces, closest, scan.colors if scan.colors is not None else scan.vertices)
    image = np.moveaxis(colors.reshape(*shape.valid.shape, 3), -1, 1).astype(np.float32)
    low = relief.masked_blur(image, weight, relief.gaussian_width(broad_mm) / shape.pixel_mm)
    fine = ((image - low) * weight[:, None]).astype(np.float32)
    energy = relief.local_energy(fine, weight, pixel_mm=shape.pixel_mm, window_mm=1.25)
    return replace(shape, bands=fine, energy=energy)


def _target(patch: Mesh, fine: Floats, seen: Bools, charts: relief.HeightPatches) -> quilting.QuiltTarget:
    valid = charts.valid
    energy = np.median(np.moveaxis(charts.energy, 1, -1)[valid], axis=0).astype(float)
    rim = cKDTree(patch.vertices[seen]).query(patch.vertices)[0]
    return quilting.QuiltTarget(
        points=patch.vertices,
        normals=vertex_normals(patch.vertices, patch.faces),
        known=seen,
        relief=np.where(seen, fine.sum(1), 0.0),
        depth=np.where(seen, -1.0, rim),
        energy=np.tile(energy, (len(seen), 1)),
        direction=np.zeros((len(seen), 2)),
    )
