"""Skin detail: as the scan shows it where observed, and synthesised from the skin around a hole within it."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.enclosed_holes import enclosed_holes
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, vertex_normals
from facecom.skin.hole_detail import FaceAttributes, detail_of_hole, infeasibility_reason
from facecom.skin.types import Detail, DetailMode, DetailSettings

__all__ = ["Detail", "DetailMode", "DetailSettings", "add_detail"]


def add_detail(
    scan: Mesh,
    face: Mesh,
    *,
    observed: Bools,
    mirror: Ints | None = None,
    region: Ints | None = None,
    compression: Floats | None = None,
    where: Bools | None = None,
    settings: DetailSettings | None = None,
    seed: int = 0,
) -> Detail:
    """Give the missing part of a completed face the skin of its surroundings.

    Parameters
    ----------
    scan : Mesh, cleaned, face frame, mm
    face : Mesh, the completed smooth face in the same frame
    observed : (V,) bool, face vertices that the scan shows
    mirror : (V,) int or None, the face vertex on the opposite side
    region : (V,) int or None
        Region of each face vertex; skin is then taken from the regions that the hole itself touches, and band power
        is continued within them.
    compression : (V, 3, 3) float or None
        How expressions compress the skin of faces at large, symmetric; where the scan shows no direction, wrinkles run
        across it.
    where : (V,) bool or None
        Missing vertices that get detail; by default those that observed skin surrounds.
    settings : DetailSettings
    seed : int

    Returns
    -------
    Detail

    Raises
    ------
    ValueError
        On an unknown mode, masks of the wrong length, when nothing is missing, and when no missing part can get
        relief, with what stands in the way: the spacing and noise of the scan, no skin around, too large a part.

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
    >>> made = add_detail(scan, Mesh(flat, faces), observed=~gone, where=gone)
    >>> bool(made.displacement[made.provenance == 4].std() > 0.005)
    True
    """
    settings = settings or DetailSettings()
    _check(face, settings, observed=observed, mirror=mirror, region=region, where=where)
    if compression is not None and compression.shape != (len(face.vertices), 3, 3):
        raise ValueError(f"compression has shape {compression.shape} for {len(face.vertices)} vertices of the face")
    surface = Surface(scan)
    holes = _holes(surface, face, observed, where=where, settings=settings)
    attributes = FaceAttributes(observed, mirror, region, compression)
    reasons = [infeasibility_reason(surface, face, hole, attributes=attributes, settings=settings) for hole in holes]
    if all(reasons):
        raise ValueError("; ".join(dict.fromkeys(reasons)))
    made = [
        detail_of_hole(surface, face, hole, attributes=attributes, settings=settings, seed=seed)
        for hole, reason in zip(holes, reasons, strict=True)
        if not reason
    ]
    return _merged(made, tuple(reason for reason in reasons if reason))


def _check(face: Mesh, settings: DetailSettings, **masks: Bools | Ints | None) -> None:
    if settings.mode not in get_args(DetailMode):
        raise ValueError(f"mode must be one of {', '.join(get_args(DetailMode))}, got {settings.mode!r}")
    for name, value in masks.items():
        if value is not None and np.shape(value) != (len(face.vertices),):
            raise ValueError(f"{name} has shape {np.shape(value)} for {len(face.vertices)} vertices of the face")


def _holes(
    surface: Surface, face: Mesh, observed: Bools, *, where: Bools | None, settings: DetailSettings
) -> list[Bools]:
    """Holes that get detail, (V,) each.

    Raises
    ------
    ValueError
        When there is none.
    """
    if where is None:
        holes = _separate_holes(
            surface, face, enclosed_holes(face, observed), settings=settings, least_mm2=settings.smallest_mm2
        )
    else:
        holes = _separate_holes(surface, face, ~observed & where, settings=settings, least_mm2=0.0)
    if not holes:
        raise ValueError(
            f"observed skin surrounds no missing part of {settings.smallest_mm2:g} mm² or more; "
            "name the part with `where`"
        )
    return holes


def _separate_holes(
    surface: Surface, face: Mesh, missing: Bools, *, settings: DetailSettings, least_mm2: float
) -> list[Bools]:
    """Missing parts far enough apart to be treated one by one, largest first, without what the scan lies near."""
    index = np.flatnonzero(missing)
    if not len(index):
        return []
    normals = vertex_normals(face.vertices, face.faces)[index]
    depth = surface.cast(face.vertices[index] + settings.reach_mm * normals, -normals).depth
    index = index[depth > 2.0 * settings.reach_mm]
    if not len(index):
        return []
    # their fine patches, which reach over the border, must not overlap
    pairs = cKDTree(face.vertices[index]).query_pairs(2.0 * settings.border_mm, output_type="ndarray")
    graph = sp.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(index), len(index)))
    label = csgraph.connected_components(graph, directed=False)[1]
    area = np.bincount(label, vertex_areas(face.vertices, face.faces)[index])
    holes = []
    for k in np.argsort(-area, kind="stable"):
        if area[k] >= least_mm2:
            hole = np.zeros(len(face.vertices), bool)
            hole[index[label == k]] = True
            holes.append(hole)
    return holes


def _merged(details: list[Detail], problems: tuple[str, ...]) -> Detail:
    """The details of several holes as one; the bands are those of the first, the largest."""
    first = details[0]
    if len(details) == 1:
        return replace(first, warnings=first.warnings + problems)
    return Detail(
        mesh=_concatenated([d.mesh for d in details]),
        smooth=_concatenated([d.smooth for d in details]),
        normals=np.concatenate([d.normals for d in details]),
        displacement=np.concatenate([d.displacement for d in details]),
        base_offset=np.concatenate([d.base_offset for d in details]),
        provenance=np.concatenate([d.provenance for d in details]),
        bands=first.bands,
        warnings=tuple(dict.fromkeys([text for d in details for text in d.warnings] + list(problems))),
        synthetic=any(d.synthetic for d in details),
    )


def _concatenated(meshes: list[Mesh]) -> Mesh:
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes])
    uvs = [m.uv for m in meshes if m.uv is not None]
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + start for m, start in zip(meshes, starts[:-1], strict=True)]),
        uv=np.concatenate(uvs) if len(uvs) == len(meshes) else None,
    )
