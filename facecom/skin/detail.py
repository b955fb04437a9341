"""Skin detail: measured where it was seen, and made like it where it was not."""

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
from facecom.skin.types import (
    Detail,
    DetailMode,
    DetailSettings,
)

__all__ = [
    "Detail",
    "DetailMode",
    "DetailSettings",
    "add_detail",
]


def add_detail(
    scan: Mesh,
    face: Mesh,
    *,
    measured: Bools,
    mirror: Ints | None = None,
    region: Ints | None = None,
    squeeze: Floats | None = None,
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
    squeeze : (V, 3, 3) float or None
        How expressions squeeze the skin of faces at large, symmetric; where none was measured, wrinkles run across it.
    where : (V,) bool or None
        Missing vertices that get detail; by default those that seen skin surrounds.
    settings : DetailSettings
    seed : int

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
    >>> made = add_detail(scan, Mesh(flat, faces), measured=~gone, where=gone)
    >>> bool(made.displacement[made.provenance == 4].std() > 0.005)
    True
    """
    options = settings or DetailSettings()
    _check(face, options, measured=measured, mirror=mirror, region=region, where=where)
    if squeeze is not None and squeeze.shape != (len(face.vertices), 3, 3):
        raise ValueError(f"squeeze has shape {squeeze.shape} for {len(face.vertices)} vertices of the face")
    surface = Surface(scan)
    wanted = (~measured & where) if where is not None else enclosed_holes(face, measured)
    least = 0.0 if where is not None else options.smallest_mm2
    pieces = _pieces(surface, face, wanted, options, least)
    if not pieces:
        raise ValueError(
            f"seen skin surrounds no missing part of {options.smallest_mm2:g} mm² or more; name the part with `where`"
        )
    sides = FaceAttributes(measured, mirror, region, squeeze)
    stops = [infeasibility_reason(surface, face, missing, sides, options) for missing in pieces]
    if all(stops):
        raise ValueError("; ".join(dict.fromkeys(stops)))
    made = [
        detail_of_hole(surface, face, missing, sides, options, seed)
        for missing, stop in zip(pieces, stops, strict=True)
        if not stop
    ]
    return _together(made, tuple(stop for stop in stops if stop))


def _check(face: Mesh, options: DetailSettings, **masks: Bools | Ints | None) -> None:
    if options.mode not in get_args(DetailMode):
        raise ValueError(f"mode must be one of {', '.join(get_args(DetailMode))}, got {options.mode!r}")
    for name, value in masks.items():
        if value is not None and np.shape(value) != (len(face.vertices),):
            raise ValueError(f"{name} has shape {np.shape(value)} for {len(face.vertices)} vertices of the face")


def _pieces(surface: Surface, face: Mesh, wanted: Bools, options: DetailSettings, least: float) -> list[Bools]:
    """Missing parts far enough apart to be treated one by one, largest first; where the scan lies near, none."""
    lost = np.flatnonzero(wanted)
    if not len(lost):
        return []
    normals = vertex_normals(face.vertices, face.faces)[lost]
    depth = surface.cast(face.vertices[lost] + options.reach_mm * normals, -normals).depth
    lost = lost[depth > 2.0 * options.reach_mm]
    if not len(lost):
        return []
    pairs = cKDTree(face.vertices[lost]).query_pairs(2.0 * options.border_mm, output_type="ndarray")
    graph = sp.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(lost), len(lost)))
    label = csgraph.connected_components(graph, directed=False)[1]
    area = np.bincount(label, vertex_areas(face.vertices, face.faces)[lost])
    pieces = []
    for k in np.argsort(-area, kind="stable"):
        if area[k] >= least:
            piece = np.zeros(len(face.vertices), bool)
            piece[lost[label == k]] = True
            pieces.append(piece)
    return pieces


def _together(details: list[Detail], problems: tuple[str, ...]) -> Detail:
    """Several pieces as one; the bands are those of the first, the largest."""
    first = details[0]
    if len(details) == 1:
        return replace(first, warnings=first.warnings + problems)
    return Detail(
        mesh=_stacked([d.mesh for d in details]),
        smooth=_stacked([d.smooth for d in details]),
        normals=np.concatenate([d.normals for d in details]),
        displacement=np.concatenate([d.displacement for d in details]),
        low=np.concatenate([d.low for d in details]),
        provenance=np.concatenate([d.provenance for d in details]),
        bands=first.bands,
        warnings=tuple(dict.fromkeys([text for d in details for text in d.warnings] + list(problems))),
        generic=any(d.generic for d in details),
    )


def _stacked(meshes: list[Mesh]) -> Mesh:
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes])
    uvs = [m.uv for m in meshes if m.uv is not None]
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + start for m, start in zip(meshes, starts[:-1], strict=True)]),
        uv=np.concatenate(uvs) if len(uvs) == len(meshes) else None,
    )
