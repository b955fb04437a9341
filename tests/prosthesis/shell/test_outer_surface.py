"""The outer surface keeps its distances and weights under resampling."""

import numpy as np
import scipy.sparse as sp

from facecom.geometry.mesh import boundary_loops
from facecom.prosthesis.defect.neighbourhood import subdivide_long_edges
from facecom.prosthesis.shell.outer_surface import OuterSurface


def test_distances_and_weights_follow_the_mesh(workshop):
    plate = workshop.plate(4.0)
    distance = 2.0 - np.abs(plate.vertices[:, 0])
    surface = OuterSurface(plate, distance, distance + 2.0, sp.identity(len(distance), format="csr"))
    assert np.array_equal(surface.border, boundary_loops(plate.faces)[0])
    mesh, _, weights = subdivide_long_edges(plate, np.zeros(len(plate.faces), bool), max_edge_mm=0.8)
    fine = surface.resampled(mesh, weights)
    assert np.allclose(fine.weights @ plate.vertices, mesh.vertices)
    assert np.allclose(fine.border_distance - fine.defect_distance, 2.0)
    # The distance is linear on every triangle of the plate but those along the crest at 0, which are split there.
    assert np.allclose(fine.defect_distance, 2.0 - np.abs(mesh.vertices[:, 0]), atol=0.5)
    away = np.abs(mesh.vertices[:, 0]) >= 1.0
    assert np.allclose(fine.defect_distance[away], 2.0 - np.abs(mesh.vertices[away, 0]))
