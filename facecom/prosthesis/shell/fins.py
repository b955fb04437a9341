"""Fins of a part on its tissue side, thinner than any of its walls may be: cut off, the outer face left alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from facecom.errors import need
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh, face_areas, face_normals, longest_edges
from facecom.geometry.sampling import points_in_rows
from facecom.prosthesis.solid.booleans import to_mesh

AIM = 1.05
"""A wall is a fin when it is thinner than so many times the least thickness."""
OPPOSITE = 0.94
"""Two faces are the sides of a wall when their normals are opposite by this cosine."""
UPRIGHT = 1e-4
"""Faces along the axis, but for rounding, are the cut along the border, which makes edges with others and no wall."""
OFF_SURFACE_MM = 1e-3
"""Rays start so far inside, so that they do not hit the face they start from."""
LEAST_HEIGHT_MM = 2e-3
"""Walls are not measured at faces lower than this: their normals are rounding."""
SPACING, BALL = 1.0, 1.5
"""Distance of the places where walls are measured, and radius of the balls that cut fins off, in least thicknesses."""
APART = 0.8
"""Of places in one cube of so many least thicknesses one is cut off: its ball takes the others along."""
BALL_SEGMENTS = 8
"""Sides of the polygons that stand for circles of these balls."""
BEHIND_OUTER = 1.15
"""No ball comes nearer to the outer face than so many times the least thickness."""
CREASES_MM2 = 0.06
"""So much of the surface, together, may be too thin: every solid is in its creases."""
SMALLEST_BALL = 0.2
"""Smaller balls, in least thicknesses, cut nothing that matters."""


def without_fins(part: Any, outer: Mesh, *, least_mm: float, rounds: int = 4) -> Any:
    """A solid without its fins, away from its outer face.

    Between tissue and intaglio, in what is left beside a groove, and under a border on steep skin, walls come so near
    to each other that a printer or a mould does not fill them, or they break off.

    Parameters
    ----------
    part : manifold3d solid, mm
    outer : Mesh, its outer face
    least_mm : thinner walls are cut off
    rounds : most; what was cut may leave other thin walls
    """
    m3, face = need("manifold3d", extra="prosthesis"), Surface(outer)
    for _ in range(rounds):
        places, _ = thin_places(to_mesh(part), least_mm=AIM * least_mm)
        if not len(places):
            break
        places = places[np.unique(np.floor(places / (APART * least_mm)), axis=0, return_index=True)[1]]
        room = face.closest(places).distance - BEHIND_OUTER * least_mm
        radius = np.minimum(BALL * least_mm, room)
        cut = radius > SMALLEST_BALL * least_mm
        if not cut.any():
            break
        balls = [
            m3.Manifold.sphere(r, BALL_SEGMENTS).translate(p.tolist())
            for p, r in zip(places[cut], radius[cut].tolist(), strict=True)
        ]
        part = part - m3.Manifold.batch_boolean(balls, m3.OpType.Add)
    return part


def left_thin(part: Mesh, *, least_mm: float) -> Floats:
    """Middles of walls of a part that are too thin, (N, 3); none where they are creases of no area."""
    places, areas = thin_places(part, least_mm=least_mm)
    return places if areas.sum() > CREASES_MM2 else places[:0]


def thin_places(part: Mesh, *, least_mm: float) -> tuple[Floats, Floats]:
    """Where the walls of a closed mesh are thinner than a length, measured from either side; z is the axis.

    Returns
    -------
    places : (N, 3) float, mm, in the middle of the wall
    areas : (N,) float, mm2, of the surface that each stands for

    Examples
    --------
    >>> from facecom.prosthesis.solid.booleans import heightfield_solid
    >>> plate = heightfield_solid(np.full((3, 3), 0.2), origin=np.zeros(2), spacing=1.0, floor=0.0)
    >>> [round(float(thin_places(plate, least_mm=least)[1].sum()), 3) for least in (0.1, 0.3)]
    [0.0, 8.0]
    """
    normals = face_normals(part)
    points, faces = _scattered(part, spacing_mm=SPACING * least_mm)
    inward = -normals[faces]
    hits = Surface(part).cast(points + OFF_SURFACE_MM * inward, inward)
    depth = hits.depth + OFF_SURFACE_MM
    opposite = np.einsum("nd,nd->n", normals[faces], normals[np.maximum(hits.faces, 0)]) < -OPPOSITE
    cut = np.abs(normals[:, 2]) < UPRIGHT
    same = cut[faces] == cut[np.maximum(hits.faces, 0)]
    thin = (hits.faces >= 0) & opposite & same & (depth < least_mm)
    share = face_areas(part) / np.maximum(np.bincount(faces, minlength=len(normals)), 1)
    return points[thin] + 0.5 * depth[thin, None] * inward[thin], share[faces[thin]]


def _scattered(mesh: Mesh, *, spacing_mm: float) -> tuple[Floats, Ints]:
    """Points of a mesh about a distance apart, at least one on each face but slivers, (N, 3), and their faces."""
    longest = longest_edges(mesh.vertices, mesh.faces)
    high = 2.0 * face_areas(mesh) > LEAST_HEIGHT_MM * longest
    return points_in_rows(mesh, np.where(high, np.maximum(np.ceil(longest / spacing_mm), 1), 0).astype(np.int64))
