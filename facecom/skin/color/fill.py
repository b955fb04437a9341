"""Colour of what was synthesised, from the same skin by the same means: albedo alone, nothing is said of light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Closest, Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, edge_lengths, unique_edges, vertex_normals
from facecom.provenance import Provenance
from facecom.skin.band_filters import gaussian_sigma, local_log_power, masked_blur
from facecom.skin.color.reliability import reliable_colors
from facecom.skin.height_patches import POWER_WINDOW_MM, HeightPatches, sample_height_patches
from facecom.skin.membrane import edge_differences, extend_smoothly
from facecom.skin.patch_bank import has_room
from facecom.skin.point_sampling import min_distance_subset
from facecom.skin.quilting import QuiltSettings, QuiltTarget, quilt
from facecom.skin.types import Detail

NO_COLORS = "the scan has no colours, so there are none to continue; give a scan with vertex colours"
BROAD_HOLD = 30.0
"""How closely broad colour follows the medians of the scan, see `extend_smoothly`."""
MEDIAN_SIGMAS = 2.0
"""Radius of the median, in widths of the Gaussian of broad colour."""
MEDIAN_VERTICES = 8
"""Nearest vertices of the median where no more than these lie within that radius."""
LOOSE_WEIGHT = 1e-9
"""Weight that keeps parts of a face that touch nothing observed solvable."""
DOUBTED_SHARE = 1e-3
"""Share of unreliable corners from which on a mixed colour is unreliable."""


def fill_colors(
    scan: Mesh,
    patch: Mesh,
    *,
    observed: Bools,
    broad_mm: float = 4.5,
    coarsest_mm: float = 0.8,
    source_mm: float = 13.0,
    patch_spacing_mm: float = 4.75,
    settings: QuiltSettings | None = None,
    seed: int = 0,
) -> Floats:
    """Colour each vertex of a patch: as the scan shows it where observed, synthesised from the skin around elsewhere.

    Broad colour is continued from the rim as a membrane, where the rim is reliable (`reliable_colors`); what is finer
    than `broad_mm` is quilted, unless scan or patch are too coarse to show it.

    Parameters
    ----------
    scan : Mesh with colours, mm; a vertex without one (NaN) takes the nearest
    patch : Mesh, mm, the fine mesh of a hole and its border (`Detail.mesh`)
    observed : (P,) bool, patch vertices that lie on the scan
    broad_mm : float, wavelength that parts broad colour from fine
    coarsest_mm : float, longest median edge of scan and patch at which fine colour is made
    source_mm, patch_spacing_mm : float
        How far from the hole skin is taken from, and the distance of the height maps that show it.
    settings : QuiltSettings
    seed : int

    Returns
    -------
    (P, 3) float in 0..1

    Raises
    ------
    ValueError
        When the scan has no colours, `observed` has the wrong length, or nothing was observed.
    """
    scan = colored_throughout(scan)
    if scan.colors is None:
        raise ValueError(NO_COLORS)
    if observed.shape != (len(patch.vertices),):
        raise ValueError(f"observed has shape {observed.shape} for {len(patch.vertices)} vertices of the patch")
    if not observed.any():
        raise ValueError("no vertex of the patch is observed, so there is no colour to continue")
    settings = settings or QuiltSettings()
    surface = Surface(scan)
    closest = surface.closest(patch.vertices[observed])
    colors = np.zeros((len(observed), 3))
    colors[observed] = _mixed(scan.faces, closest, scan.colors)
    reliable = _nearest_reliable(scan, scan.colors)
    scan = replace(scan, colors=reliable)
    broad = _broad_colors(scan, patch, observed, broad_mm)
    made = broad
    if not observed.all() and max(np.median(edge_lengths(patch)), np.median(edge_lengths(scan))) <= coarsest_mm:
        lengths = {"broad_mm": broad_mm, "source_mm": source_mm, "spacing_mm": patch_spacing_mm}
        sources = _color_patches(surface, scan, patch, observed, **lengths)
        if has_room(sources, settings.radius_mm):
            fine = np.zeros((len(observed), 3))
            fine[observed] = _mixed(scan.faces, closest, reliable) - broad[observed]
            target = _quilt_target(patch, fine, observed, sources)
            made = broad + quilt(target, sources, settings=settings, seed=seed).bands
    return np.clip(np.where(observed[:, None], colors, made), 0.0, 1.0)


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
    known = np.asarray(np.isfinite(scan.colors).all(axis=1), bool)
    if known.all():
        return scan
    if not known.any():
        return replace(scan, colors=None)
    return replace(scan, colors=_nearest(scan, scan.colors, known))


def _nearest_reliable(scan: Mesh, colors: Floats) -> Floats:
    """The scan's colours, but the nearest reliable one where its own, at a rim, is not to be continued."""
    reliable = reliable_colors(scan)
    return colors if reliable.all() else _nearest(scan, colors, reliable)


def _nearest(scan: Mesh, colors: Floats, known: Bools) -> Floats:
    """The colours with those that are not known replaced by that of the nearest vertex whose is."""
    out = colors.copy()
    out[~known] = colors[known][cKDTree(scan.vertices[known]).query(scan.vertices[~known])[1]]
    return out


def _mixed(faces: Ints, closest: Closest, colors: Floats) -> Floats:
    """Colours of vertices interpolated at the closest points of their faces, (Q, 3)."""
    return np.einsum("qk,qkc->qc", closest.barycentric, colors[faces[closest.faces]])


def _broad_colors(scan: Mesh, patch: Mesh, observed: Bools, broad_mm: float) -> Floats:
    """Colour without what is finer than `broad_mm`, continued where nothing was observed, (P, 3).

    Hair and shadow spoil single colours at a rim, so each place takes the median of the scan around it.
    """
    sigma = gaussian_sigma(broad_mm)
    points = min_distance_subset(patch.vertices, 0.5 * sigma, np.flatnonzero(observed))
    own = scan.vertices if scan.colors is None else scan.colors
    tree = cKDTree(scan.vertices)
    near = tree.query_ball_point(patch.vertices[points], MEDIAN_SIGMAS * sigma)
    few = tree.query(patch.vertices[points], k=min(MEDIAN_VERTICES, len(own)))[1].reshape(len(points), -1)
    chosen = [ids if len(ids) > MEDIAN_VERTICES else nearest for ids, nearest in zip(near, few, strict=True)]
    values, given = np.zeros((len(observed), 3)), np.zeros(len(observed), bool)
    values[points], given[points] = np.array([np.median(own[ids], axis=0) for ids in chosen]), True
    return extend_smoothly(patch, values, given, hold=BROAD_HOLD)


def face_colors(scan: Mesh, face: Mesh, *, observed: Bools, mirror: Ints | None = None) -> Floats:
    """Colour each vertex of a face: as the scan shows it where observed, continued elsewhere.

    Colours at a rim that are not reliable (`reliable_colors`) count as not observed. Where the opposite side was
    observed, its changes of colour (brow, lip) are laid on, as a guided membrane (Perez et al. 2003) that meets what
    was observed; elsewhere the membrane is even.

    Parameters
    ----------
    scan : Mesh with colours, mm; a vertex without one (NaN) takes the nearest
    face : Mesh, mm, in the same frame
    observed : (V,) bool
    mirror : (V,) int or None, the face vertex on the opposite side

    Returns
    -------
    (V, 3) float in 0..1

    Raises
    ------
    ValueError
        When the scan has no colours, `observed` has the wrong length, or nothing was observed.

    Examples
    --------
    >>> points, faces = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.0]]), [[0, 1, 2], [1, 3, 2]]
    >>> red = Mesh(points[:3], [[0, 1, 2]], colors=np.tile([1.0, 0, 0], (3, 1)))
    >>> face_colors(red, Mesh(points, faces), observed=np.array([True, True, True, False]))[3].round(3)
    array([1., 0., 0.])
    """
    scan = colored_throughout(scan)
    if scan.colors is None:
        raise ValueError(NO_COLORS)
    if observed.shape != (len(face.vertices),) or not observed.any():
        raise ValueError(
            f"observed has shape {observed.shape} and {observed.sum()} set for {len(face.vertices)} vertices"
        )
    colors = np.zeros((len(observed), 3))
    closest = Surface(scan).closest(face.vertices[observed])
    colors[observed] = _mixed(scan.faces, closest, scan.colors)
    known = observed.copy()
    known[np.flatnonzero(observed)] = _reliable(scan, closest)
    if not known.all():
        colors[~known] = _continued_colors(face, colors, known, mirror)
    return np.clip(colors, 0.0, 1.0)


def _continued_colors(face: Mesh, colors: Floats, known: Bools, mirror: Ints | None) -> Floats:
    """Colours of the vertices that are not known, led by the opposite side."""
    edges, _, _ = unique_edges(face.faces)
    differences = edge_differences(edges, len(known))
    guide = np.zeros((len(edges), 3))
    if mirror is not None:
        led = np.all(known[mirror][edges], axis=1)[:, None]
        guide = np.where(led, differences @ colors[mirror], 0.0)
    inner = differences[:, ~known]
    system = (inner.T @ inner + LOOSE_WEIGHT * sp.identity(int((~known).sum()))).tocsc()
    return splu(system).solve(inner.T @ (guide - differences[:, known] @ colors[known]))


def _reliable(scan: Mesh, closest: Closest) -> Bools:
    """Where no corner's colour is doubted, (Q,); everywhere where else nothing was left."""
    doubted = ~reliable_colors(scan)[scan.faces[closest.faces]]
    clean = np.einsum("qk,qk->q", closest.barycentric, doubted) < DOUBTED_SHARE
    return clean if clean.any() else ~clean


def color_detail(detail: Detail, scan: Mesh, *, seed: int = 0) -> Detail:
    """The same detail with its fine mesh coloured by `fill_colors`; unchanged where the scan has no colours."""
    scan, observed = colored_throughout(scan), detail.provenance == Provenance.OBSERVED
    if scan.colors is None or not observed.any():
        return detail
    colors = fill_colors(scan, detail.mesh, observed=observed, seed=seed)
    mesh = Mesh(detail.mesh.vertices, detail.mesh.faces, uv=detail.mesh.uv, colors=colors)
    return replace(detail, mesh=mesh)


def _color_patches(
    surface: Surface, scan: Mesh, patch: Mesh, observed: Bools, *, broad_mm: float, source_mm: float, spacing_mm: float
) -> HeightPatches:
    """Height maps whose three bands are the fine parts of red, green and blue."""
    hole = cKDTree(patch.vertices[~observed])
    normals = vertex_normals(scan.vertices, scan.faces)
    distance = hole.query(scan.vertices, distance_upper_bound=source_mm)[0]
    order = np.argsort(distance, kind="stable")
    centres = min_distance_subset(scan.vertices, spacing_mm, order[np.isfinite(distance[order])])
    own_side = np.zeros(len(centres), bool)
    shape = sample_height_patches(
        surface, scan.vertices[centres], normals[centres], mirrored=own_side, max_wavelength_mm=broad_mm
    )
    points = shape.points.reshape(-1, 3).astype(float)
    colors = np.zeros((len(points), 3))
    valid = shape.valid.ravel()
    closest = surface.closest(points[valid])
    colors[valid] = _mixed(scan.faces, closest, scan.colors if scan.colors is not None else scan.vertices)
    image = np.moveaxis(colors.reshape(*shape.valid.shape, 3), -1, 1).astype(np.float32)
    weight = shape.valid.astype(np.float32)
    broad = masked_blur(image, weight, gaussian_sigma(broad_mm) / shape.pixel_mm)
    fine = ((image - broad) * weight[:, None]).astype(np.float32)
    log_power = local_log_power(fine, weight, pixel_mm=shape.pixel_mm, window_mm=POWER_WINDOW_MM)
    return replace(shape, bands=fine, log_power=log_power)


def _quilt_target(patch: Mesh, fine: Floats, observed: Bools, sources: HeightPatches) -> QuiltTarget:
    """Fine colour to be continued: its power is the median of the sources', it has no direction."""
    log_power = np.median(np.moveaxis(sources.log_power, 1, -1)[sources.valid], axis=0).astype(float)
    rim_distance = cKDTree(patch.vertices[observed]).query(patch.vertices)[0]
    return QuiltTarget(
        points=patch.vertices,
        normals=vertex_normals(patch.vertices, patch.faces),
        observed=observed,
        relief=np.where(observed, fine.sum(1), 0.0),
        depth=np.where(observed, -1.0, rim_distance),
        log_power=np.tile(log_power, (len(observed), 1)),
        direction=np.zeros((len(observed), 2)),
    )
