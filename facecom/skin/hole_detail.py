"""Skin detail of one hole and its border: measure the skin around it, judge that, synthesise relief, displace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Ints, Mesh, vertex_normals
from facecom.provenance import Provenance
from facecom.skin import noise_bands
from facecom.skin.fine_patch import refine_patch
from facecom.skin.height_patches import HeightPatches, sample_height_patches
from facecom.skin.noise_bands import BandReport
from facecom.skin.patch_bank import has_room
from facecom.skin.patch_heights import Heights, scan_heights, smooth_heights
from facecom.skin.point_sampling import min_distance_subset
from facecom.skin.relief_synthesis import FaceAttributes, HoleSkin, synthesise_relief
from facecom.skin.safe_displacement import Displaced, displace_safely
from facecom.skin.synthetic_skin import synthetic_patches
from facecom.skin.types import Detail, DetailSettings

FIRST_LOOK_PATCHES = 24
"""Height maps of the first look, which only tells whether a full measurement is worth while."""
SYNTHETIC_PATCHES = 48
"""Height maps of synthetic skin."""
MIRRORED_SOURCE_SHARE = 0.5
"""How far from the hole skin is taken on the opposite side, as a share of how far it is taken here."""


def infeasibility_reason(
    surface: Surface, face: Mesh, missing: Bools, *, attributes: FaceAttributes, settings: DetailSettings
) -> str:
    """Why no relief can be made for this hole, or an empty text, at little cost beside the making.

    The spacing of the triangles around the hole is looked at, then a few height maps of the skin there.

    Parameters
    ----------
    surface : Surface of the scan, mm
    face : Mesh, the completed smooth face
    missing : (V,) bool, the hole
    attributes : FaceAttributes
    settings : DetailSettings
    """
    area = float(vertex_areas(face.vertices, face.faces)[missing].sum())
    if area > settings.largest_mm2:
        return (
            f"{area:.0f} mm² of skin are missing, more than {settings.largest_mm2:.0f}, so they stay smooth; "
            "name a smaller part with `where` or raise `largest_mm2`"
        )
    if settings.mode == "synthetic":
        return ""
    few = _source_vertices(face, missing, attributes=attributes, settings=settings)[0][:FIRST_LOOK_PATCHES]
    if not len(few):
        return "no skin is observed around what is missing, so there is none to continue and it stays smooth"
    limit = settings.max_wavelength_mm
    spacing = noise_bands.local_spacing(surface.mesh, surface.closest(face.vertices[few]).faces)
    if not noise_bands.resolves_any(spacing, max_wavelength_mm=limit):
        return noise_bands.spacing_problem(spacing, max_wavelength_mm=limit)
    normals = vertex_normals(face.vertices, face.faces)[few]
    own_side = np.zeros(len(few), bool)
    height_patches = sample_height_patches(
        surface, face.vertices[few], normals, mirrored=own_side, max_wavelength_mm=limit
    )
    bands = noise_bands.report_bands(height_patches, spacing_mm=spacing, max_wavelength_mm=limit)
    # noise that half the height maps could deny is left to the full measurement
    hopeless = height_patches.valid.any() and not bands.usable.any()
    return bands.problem() if hopeless else ""


def detail_of_hole(
    surface: Surface, face: Mesh, missing: Bools, *, attributes: FaceAttributes, settings: DetailSettings, seed: int
) -> Detail:
    """Detail of one hole and its border; arguments as of `infeasibility_reason`."""
    skin = _measure(surface, face, missing, attributes=attributes, settings=settings)
    if settings.mode == "synthetic" and not skin.bands.usable.any():
        skin = _with_synthetic_skin(skin, seed)
    problem = _synthesis_problem(skin)
    if problem:
        relief, source = np.zeros(len(skin.base_offset)), np.full(len(skin.base_offset), Provenance.MODEL)
    else:
        relief, source = synthesise_relief(skin, seed=seed)
    observed = skin.heights.observed
    height = np.where(observed, skin.heights.values, skin.base_offset + relief)
    moved = displace_safely(skin.patch, height, base_offset=skin.base_offset, observed=observed)
    # what had to leave the scan is neither observed nor synthesised
    provenance = np.where(observed, np.where(moved.lowered, Provenance.MODEL, Provenance.OBSERVED), source)
    return _as_detail(skin, moved, provenance, problem=problem)


def _as_detail(skin: HoleSkin, moved: Displaced, provenance: Ints, *, problem: str) -> Detail:
    """The result on the vertices that the kept faces use."""
    mesh, used = moved.mesh.submesh(np.ones(len(moved.mesh.faces), bool))
    smooth, normals = skin.patch.mesh.vertices[used], skin.patch.normals[used]
    return Detail(
        mesh=mesh,
        smooth=Mesh(smooth, mesh.faces, uv=mesh.uv),
        normals=normals,
        displacement=np.einsum("pd,pd->p", mesh.vertices - smooth, normals),
        base_offset=skin.base_offset[used],
        provenance=provenance[used],
        bands=skin.bands,
        warnings=tuple(([problem] if problem else []) + _repair_warnings(moved)),
        synthetic=not problem and skin.settings.mode == "synthetic" and not skin.height_patches.from_scan,
    )


def _repair_warnings(moved: Displaced) -> list[str]:
    """What had to be changed so that the fine skin neither folds nor intersects itself."""
    out, lowered = [], int(moved.lowered.sum())
    if lowered:
        out.append(
            f"{lowered} of {len(moved.lowered)} fine vertices were lowered, since their relief would fold the mesh"
        )
    if moved.dropped:
        out.append(f"{moved.dropped} fine triangles of observed skin were left out, since they would intersect others")
    if moved.n_intersecting_edges:
        out.append(f"the fine skin intersects itself at {moved.n_intersecting_edges} edges")
    return out


def _measure(
    surface: Surface, face: Mesh, missing: Bools, *, attributes: FaceAttributes, settings: DetailSettings
) -> HoleSkin:
    """The fine patch, the scan's heights over it, and what height maps of the skin around it show."""
    patch = refine_patch(
        face, missing, border_mm=settings.border_mm, edge_mm=settings.edge_mm, coarse_mm=settings.coarse_mm
    )
    heights = scan_heights(patch, surface, reach_mm=settings.reach_mm)
    base_offset = smooth_heights(
        patch,
        heights,
        cutoff_mm=settings.max_wavelength_mm,
        decay_mm=settings.decay_mm,
        crease_mm=settings.crease_mm,
    )
    height_patches = _source_patches(surface, face, missing, attributes=attributes, settings=settings)
    bands = _bands(surface.mesh, heights, height_patches, settings)
    return HoleSkin(patch, heights, base_offset, height_patches, bands, attributes, settings)


def _bands(scan: Mesh, heights: Heights, height_patches: HeightPatches, settings: DetailSettings) -> BandReport:
    observed = heights.faces[heights.observed]
    spacing = noise_bands.local_spacing(scan, observed) if len(observed) else np.inf
    return noise_bands.report_bands(height_patches, spacing_mm=spacing, max_wavelength_mm=settings.max_wavelength_mm)


def _source_patches(
    surface: Surface, face: Mesh, missing: Bools, *, attributes: FaceAttributes, settings: DetailSettings
) -> HeightPatches:
    """Height maps of the skin around the hole and on the opposite side, the latter flipped over to this one."""
    normals = vertex_normals(face.vertices, face.faces)
    own, other = _source_vertices(face, missing, attributes=attributes, settings=settings)
    centres = own if attributes.mirror is None else np.concatenate([own, attributes.mirror[other]])
    mirrored = np.arange(len(centres)) >= len(own)
    height_patches = sample_height_patches(
        surface,
        face.vertices[centres],
        normals[centres],
        mirrored=mirrored,
        max_wavelength_mm=settings.max_wavelength_mm,
    )
    flip = np.array([-1.0, 1.0, 1.0])
    shift = face.vertices[other] - flip * face.vertices[centres[mirrored]]
    points = height_patches.points
    points[mirrored] = points[mirrored] * flip.astype(np.float32) + shift[:, None, None].astype(np.float32)
    return height_patches


def _source_vertices(
    face: Mesh, missing: Bools, *, attributes: FaceAttributes, settings: DetailSettings
) -> tuple[Ints, Ints]:
    """Face vertices where skin is measured, nearest to the hole first: on this side, and those mirrored for it."""
    reach = settings.source_mm
    distance = cKDTree(face.vertices[missing]).query(face.vertices, distance_upper_bound=reach)[0]
    order = np.argsort(distance, kind="stable")
    allowed = attributes.observed & np.isfinite(distance)
    if attributes.region is not None:
        allowed &= np.isin(attributes.region, np.unique(attributes.region[missing]))
    own = min_distance_subset(face.vertices, settings.patch_spacing_mm, order[allowed[order]])
    if attributes.mirror is None:
        return own, np.zeros(0, np.int64)
    near = (distance < MIRRORED_SOURCE_SHARE * reach) & attributes.observed[attributes.mirror]
    return own, min_distance_subset(face.vertices, settings.patch_spacing_mm, np.flatnonzero(near))


def _with_synthetic_skin(skin: HoleSkin, seed: int) -> HoleSkin:
    """The same with synthetic skin as the source, of which every band is usable."""
    limit = skin.settings.max_wavelength_mm
    made = synthetic_patches(count=SYNTHETIC_PATCHES, max_wavelength_mm=limit, seed=seed)
    return replace(skin, height_patches=made, bands=replace(skin.bands, usable=np.ones_like(skin.bands.usable)))


def _synthesis_problem(skin: HoleSkin) -> str:
    """Why nothing can be made from what was measured, or an empty text."""
    if not len(skin.height_patches.centres):
        return "no skin is observed around what is missing, so there is none to continue and it stays smooth"
    if not skin.bands.usable.any():
        return skin.bands.problem()
    radius = skin.settings.quilt.radius_mm
    if not has_room(skin.height_patches, radius):
        return f"no window of {2 * radius:.1f} mm of even skin is observed around what is missing, so it stays smooth"
    return ""
