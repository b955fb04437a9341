"""Let a fitted face slide along the scan until it bends as little as possible against the template.

The distance to the scan says nothing about where along the surface a vertex belongs; a statistical model says it where
its modes are strong. On cheeks and forehead what remains is that one face turns into another smoothly: the displacement
from the template bends little (thin plate, Bookstein 1989, on the surface: the squared Laplacian).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import linalg as sparse_linalg

from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Floats, Ints, vertex_normals
from facecom.projection.project import CorrespondenceFinder

LEAST_AREA = 1e-3
"""Slivers count as this share of the mean area of a vertex, so that bending stays finite there."""


@dataclass(frozen=True)
class RelaxSettings:
    """How far the vertices may slide; lengths in mm."""

    iterations: int = 3
    """Rounds of searching correspondences; 0 leaves the fit as it is."""
    noise_mm: float = 0.07
    """Standard deviation of the distance to the scan, along its normal, of a vertex of average area."""
    slide_mm: float = 2.2
    """Standard deviation of where the fitted model put a vertex that the scan shows."""
    unseen_mm: float = 0.1
    """The same for a vertex that the scan does not show."""
    bending: float = 0.014
    """Standard deviation of the displacement's Laplacian, 1/mm, averaged over 1 mm2: lower is stiffer."""
    reach_mm: float = 6.0
    """A correspondence farther away is rejected."""


def relax(
    fitted: Floats, rest: Floats, faces: Ints, find: CorrespondenceFinder, *, settings: RelaxSettings | None = None
) -> Floats:
    """Slide a fitted face along the scan.

    Parameters
    ----------
    fitted : (V, 3) float, mm, vertices where the model put them
    rest : (V, 3) float, mm, vertices of the template
    faces : (F, 3) int
    find : gives the correspondences of vertices with normals within a reach in mm
    settings : RelaxSettings

    Returns
    -------
    (V, 3) float, mm

    Examples
    --------
    >>> import numpy as np
    >>> from facecom.geometry.correspondence import Correspondences
    >>> square, faces = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])
    >>> nothing = lambda at, normals, reach: Correspondences(at, normals, np.zeros(4), np.zeros(4, bool))
    >>> np.allclose(relax(square + 1.0, square, faces, nothing), square + 1.0)
    True
    """
    settings = settings or RelaxSettings()
    area = vertex_areas(rest, faces)
    area = np.maximum(area, LEAST_AREA * area.mean())
    stiffness = cotangent_stiffness(rest, faces)
    bending = sp.kron(stiffness.T @ sp.diags(1.0 / area) @ stiffness, sp.identity(3)) / settings.bending**2
    share = area / area.mean()
    vertices = np.array(fitted, float)
    for _ in range(settings.iterations):
        found = find(vertices, vertex_normals(vertices, faces), settings.reach_mm)
        gap = np.einsum("vd,vd->v", found.points - vertices, found.normals)
        normal = share * found.valid / settings.noise_mm**2
        held = share / np.where(found.valid, settings.slide_mm, settings.unseen_mm) ** 2
        system = bending + _blocks(normal, found.normals) + sp.kron(sp.diags(held), sp.identity(3))
        right = (normal * gap)[:, None] * found.normals + held[:, None] * (fitted - vertices)
        right = right.ravel() - bending @ (vertices - rest).ravel()
        step = sparse_linalg.splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(
            right
        )
        vertices = vertices + step.reshape(-1, 3)
    return vertices


def _blocks(weight: Floats, normals: Floats) -> sp.bsr_matrix:
    """Block-diagonal matrix (3 V, 3 V) of weight times the outer product of each normal with itself."""
    count = len(weight)
    data = weight[:, None, None] * normals[:, :, None] * normals[:, None, :]
    return sp.bsr_matrix((data, np.arange(count), np.arange(count + 1)), shape=(3 * count, 3 * count))
