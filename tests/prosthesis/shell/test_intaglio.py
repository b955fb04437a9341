"""The intaglio lies a wall behind the outer face, and nothing hangs from its border."""

import numpy as np
import pytest
import scipy.sparse as sp

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.prosthesis.shell.intaglio import ExtendedSurface, intaglio_solid
from facecom.prosthesis.shell.margin_outline import ShellSurfaces
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.shell import build_shell
from facecom.prosthesis.solid.booleans import extrude_to_floor, to_mesh


def test_nothing_hangs_from_a_border_beyond_which_the_skin_drops(workshop):
    across, along = np.arange(-9.0, 13.1, 0.5), np.arange(-12.0, 12.1, 0.5)
    u, v = (a.ravel() for a in np.meshgrid(across, along, indexing="ij"))
    k = np.arange(len(u)).reshape(len(across), -1)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    # Straight down beyond x = 9, as skin goes into a mouth.
    mesh = Mesh(
        np.stack([np.minimum(u, 9.0), v, np.minimum(9.0 - u, 0.0)], 1),
        np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]),
    )
    defect_distance = 3.0 - np.maximum(np.abs(u), np.abs(v) - 3.0)
    extended = OuterSurface(mesh, defect_distance, defect_distance + 5.0, sp.identity(len(u), format="csr"))
    inside = ((u <= 9.0) & (np.abs(v) <= 9.0))[mesh.faces].all(1)
    cut, used = mesh.submesh(inside)
    outer = OuterSurface(cut, extended.defect_distance[used], extended.border_distance[used], extended.weights[used])
    ground = mesh.with_vertices(mesh.vertices - [0.0, 0.0, 20.0])
    built = build_shell(
        ShellSurfaces(outer, extended, ground), thickness=workshop.thickness, rotation=np.eye(3), grid_mm=0.7
    )
    part = to_mesh(built.solid)
    beside = part.vertices[:, 0] > 8.0
    # A wall that hung as far as a cell of the grid would be a curtain, thinner than the edge where skin leans away.
    assert beside.sum() > 20 and part.vertices[beside, 2].min() > -workshop.thickness.edge - 0.4


def _extended(workshop, thickness: float) -> ExtendedSurface:
    """A level plate with the same thickness everywhere."""
    plate = workshop.plate()
    return ExtendedSurface(
        plate, np.full(len(plate.vertices), thickness), block=extrude_to_floor(plate, floor=-9.0), floor=-9.0
    )


def test_depth_is_measured_from_the_thickness_wanted(workshop):
    points = np.array([[0.0, 0, -5.0], [1.0, 2, -2.0], [2.0, 1, 1.0]])
    value, thickness, _ = _extended(workshop, 2.0).depth(points)
    assert np.allclose(value, [3.0, 0.0, -3.0], atol=1e-5) and np.allclose(thickness, 2.0)


def test_points_are_snapped_to_the_thickness_unless_they_are_far(workshop):
    points = np.array([[0.0, 0.2, -2.2], [1.0, 2, -1.9], [2.0, 1, -4.0]])
    snapped = _extended(workshop, 2.0).snapped(points, most_mm=0.5)
    assert np.allclose(snapped, [[0.0, 0.2, -2.0], [1.0, 2, -2.0], [2.0, 1, -4.0]], atol=1e-5)


@pytest.mark.parametrize("spacing", [0.9, 0.6])
def test_the_intaglio_of_a_dome_lies_a_wall_behind_it(workshop, spacing):
    dome = workshop.plate(10.0, height=lambda x, y: 3.0 - 0.03 * (x**2 + y**2))
    outer, _ = dome.submesh((np.abs(dome.vertices[:, :2]) < 6.5).all(1)[dome.faces].all(1))
    block = extrude_to_floor(outer, floor=-14.0)
    extended = ExtendedSurface(dome, np.full(len(dome.vertices), 2.0), block=block, floor=-14.0)
    behind = to_mesh(intaglio_solid(block, outer, extended, spacing=spacing))
    assert Surface(behind).closest(outer.vertices).distance.min() > 1.95
    middle = np.abs(outer.vertices[:, :2]).max(1) < 3.5
    assert Surface(behind).closest(outer.vertices[middle]).distance.max() < 2.06
