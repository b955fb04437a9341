"""Where a part ends on healthy skin: a smooth border, set back from openings."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.geometry.mesh import boundary_loops
from facecom.prosthesis.shell.margin import Margin, cut_margin, raw_border_surface, smooth_border_surface
from facecom.prosthesis.solid.clipping import outer_boundary_loop

UP = np.array([0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def jagged(workshop):
    """A margin around a hole with teeth 5 mm deep."""
    mesh = workshop.plate(20.0)
    middle = mesh.vertices[mesh.faces].mean(1)
    angle = np.arctan2(middle[:, 1], middle[:, 0])
    in_patch = np.hypot(middle[:, 0], middle[:, 1]) < 6.0 + 2.5 * np.sign(np.sin(6 * angle))
    return cut_margin(workshop.neighbourhood_of(mesh, in_patch), towards=UP)


def test_the_border_is_smooth_where_the_defect_is_jagged(workshop, jagged):
    surface, extended, own = smooth_border_surface(jagged)
    assert np.allclose(own @ extended.mesh.vertices, surface.mesh.vertices)
    rough = raw_border_surface(jagged)
    border, before = surface.mesh.vertices[surface.border], rough.mesh.vertices[rough.border]
    assert workshop.jaggedness(before) > 0.25 and workshop.jaggedness(border) < 0.15
    assert (-surface.defect_distance[surface.border]).min() > 4.6
    assert np.abs(surface.border_distance[surface.border]).max() < 1e-9 and surface.border_distance.min() >= 0.0
    away = cKDTree(border).query(surface.mesh.vertices)[0]
    assert np.abs(away - surface.border_distance)[surface.border_distance < 6.0].max() < 0.3


def test_the_border_keeps_a_distance_from_where_the_margin_ends(workshop):
    # Cut off jaggedly 3 mm beside a round hole, as at the edge of a lip.
    mesh = workshop.plate(20.0)
    middle = mesh.vertices[mesh.faces].mean(1)
    mesh, _ = mesh.submesh(middle[:, 1] > -9.0 + np.sign(np.sin(3.0 * middle[:, 0])))
    middle = mesh.vertices[mesh.faces].mean(1)
    defect_distance = 6.0 - np.hypot(*mesh.vertices[:, :2].T)
    part, weights = mesh.submesh((defect_distance > -8.0)[mesh.faces].all(1))
    margin = Margin(part, defect_distance[weights], sp.identity(len(weights), format="csr"), 5.0, 3.0)
    surface, _, _ = smooth_border_surface(margin, setback_mm=1.0)
    border = surface.mesh.vertices[surface.border]
    ends = part.vertices[outer_boundary_loop(part)]
    lower = ends[ends[:, 1] < -7.0]
    assert 0.8 < cKDTree(lower).query(border)[0].min() < 1.6
    assert workshop.jaggedness(ends) > 0.5 and workshop.jaggedness(border) < 0.25
    assert len(boundary_loops(surface.mesh.faces)) == 1
