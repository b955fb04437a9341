"""Heights of the scan over a fine patch, and their low-pass that goes on into the hole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, unique_edges, unit, vertex_normals
from facecom.skin.fine_patch import FinePatch

MIN_FACING_COSINE = 0.3
"""Least cosine between a patch normal and the scan's: skin that faces farther away is another surface."""
MIN_ISLAND_VERTICES = 200
"""A smaller island of observed vertices (of an eyelash, of hair) counts as not observed."""
EVEN_CURVATURE_WIDTHS = 2.0
"""Width over which a curvature is even, in those of the zone in which creases are removed."""
MIN_AREA_MM2 = 1e-6
"""Least area of a coarse vertex."""


@dataclass(frozen=True, eq=False)
class Heights:
    """What the scan shows over a patch.

    Parameters
    ----------
    values : (P,) float, mm along the patch normals, zero where not observed
    observed : (P,) bool
    faces : (P,) int, the triangle of the scan over each vertex, -1 where there is none
    """

    values: Floats
    observed: Bools
    faces: Ints


def scan_heights(
    patch: FinePatch, surface: Surface, *, reach_mm: float, min_island_vertices: int = MIN_ISLAND_VERTICES
) -> Heights:
    """Height of the scan over each patch vertex along its normal.

    Parameters
    ----------
    patch : FinePatch
    surface : Surface of the scan, mm
    reach_mm : float, how far the scan may lie from the patch
    min_island_vertices : int
    """
    start = patch.mesh.vertices + reach_mm * patch.normals
    hits = surface.cast(start, -patch.normals)
    height = reach_mm - hits.depth
    observed = np.isfinite(height) & (np.abs(height) < reach_mm)
    corners = surface.mesh.vertices[surface.mesh.faces[np.where(observed, hits.faces, 0)]]
    normals = unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    observed &= np.einsum("pd,pd->p", normals, patch.normals) > MIN_FACING_COSINE
    observed &= _without_islands(patch.mesh.faces, observed, min_island_vertices)
    return Heights(np.where(observed, height, 0.0), observed, np.where(observed, hits.faces, -1))


def smooth_heights(
    patch: FinePatch, heights: Heights, *, cutoff_mm: float, decay_mm: float, crease_mm: float = 0.0
) -> Floats:
    """Low-pass of the heights over the whole patch, value and slope continuous into the hole, (P,) mm.

    A smoothing spline on the coarse level: it minimises the squared misfit where observed plus the squared Laplacian.

    Parameters
    ----------
    patch : FinePatch
    heights : Heights
    cutoff_mm : float, wavelength below which waves are taken out
    decay_mm : float, distance over which the heights fade to zero where nothing is observed
    crease_mm : float
        Within this distance of the rim a sharp bend of the face itself counts as bending too, so that not the heights
        but the whole surface goes on without a crease; 0 for never.
    """
    coarse = patch.coarse
    area = np.maximum(vertex_areas(coarse.vertices, coarse.faces), MIN_AREA_MM2)
    stiffness = cotangent_stiffness(coarse.vertices, coarse.faces)
    bending = stiffness @ sp.diags(1.0 / area) @ stiffness
    prolongation = patch.prolongation
    weight = vertex_areas(patch.mesh.vertices, patch.mesh.faces) * heights.observed
    ones = np.ones(len(weight))
    covered = prolongation.T @ heights.observed.astype(float) / np.maximum(prolongation.T @ ones, 1e-12)
    data = prolongation.T @ sp.diags(weight) @ prolongation
    decay = sp.diags(area * (1.0 - covered) / decay_mm**4 + 1e-9 * area)
    rigidity = (cutoff_mm / (2 * np.pi)) ** 4
    load = prolongation.T @ (weight * heights.values)
    if crease_mm > 0:
        away = rim_distance(patch, heights.observed)[: len(area)]
        near = np.exp(-0.5 * (away / crease_mm) ** 2)
        crease = _crease(coarse, stiffness, area, EVEN_CURVATURE_WIDTHS * crease_mm)
        load -= rigidity * (stiffness @ ((near / area) * crease))
    solved = splu((data + rigidity * (bending + decay)).tocsc()).solve(load)
    return prolongation @ solved


def _crease(coarse: Mesh, stiffness: sp.csr_matrix, area: Floats, width_mm: float) -> Floats:
    """Curvature of the smooth face, times area, beyond what is even over `width_mm`: where it bends sharply, (C,)."""
    normals = vertex_normals(coarse.vertices, coarse.faces)
    bend = np.einsum("cd,cd->c", normals, stiffness @ coarse.vertices)
    even = splu((sp.diags(area) + 0.5 * width_mm**2 * stiffness).tocsc()).solve(bend)
    return bend - area * even


def rim_distance(patch: FinePatch, observed: Bools) -> Floats:
    """Distance of each patch vertex to the rim, (P,), mm: positive in the hole, negative where observed."""
    edges, _, _ = unique_edges(patch.mesh.faces)
    across = edges[observed[edges[:, 0]] != observed[edges[:, 1]]]
    if not len(across):
        return np.where(observed, -np.inf, np.inf)
    rim = patch.mesh.vertices[across].mean(1)
    distance = cKDTree(rim).query(patch.mesh.vertices, workers=-1)[0]
    return np.where(observed, -distance, distance)


def _without_islands(faces: Ints, observed: Bools, least: int) -> Bools:
    """Observed vertices that hang together with at least so many others."""
    edges, _, _ = unique_edges(faces)
    count = len(observed)
    inside = edges[observed[edges].all(1)]
    graph = sp.coo_matrix((np.ones(len(inside)), (inside[:, 0], inside[:, 1])), shape=(count, count))
    label = csgraph.connected_components(graph, directed=False)[1]
    return observed & (np.bincount(label)[label] >= least)
