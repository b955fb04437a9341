"""The surface that a prosthesis shows: the patch of one defect and the margin around it."""

from __future__ import annotations

from dataclasses import dataclass

import scipy.sparse as sp

from facecom.geometry.mesh import Floats, Ints, Mesh, boundary_loops


@dataclass(frozen=True, eq=False)
class OuterSurface:
    """A disc of skin, patch and margin, with distances from the edge of the defect and from its own border.

    Parameters
    ----------
    mesh : Mesh, mm, with one boundary loop
    defect_distance : (V,) float, mm, signed geodesic distance from the defect's edge: positive within the defect,
        negative on the skin
    border_distance : (V,) float, mm, signed geodesic distance from the part's border: positive in the part, negative
        beyond it
    weights : (V, M) sparse, each vertex as a weighted mean of vertices of the merged mesh
    """

    mesh: Mesh
    defect_distance: Floats
    border_distance: Floats
    weights: sp.csr_matrix

    @property
    def border(self) -> Ints:
        """Vertices along the boundary loop, in order."""
        return boundary_loops(self.mesh.faces)[0]

    def resampled(self, mesh: Mesh, weights: sp.csr_matrix) -> OuterSurface:
        """Another mesh of this surface, or of a part of it; each of its vertices as a mean of those of now, (V', V)."""
        return OuterSurface(
            mesh, weights @ self.defect_distance, weights @ self.border_distance, (weights @ self.weights).tocsr()
        )
