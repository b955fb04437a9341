"""The thinnest place of a part by rays."""

import numpy as np
import pytest

from facecom.prosthesis.checks.thickness import cut_faces, thinnest_place
from facecom.prosthesis.solid.booleans import heightfield_solid, to_mesh, to_solid

UP = np.array([0.0, 0.0, 1.0])


def plate(height, half=6.0, floor=0.0):
    x, y = np.meshgrid(*[np.linspace(-half, half, 25)] * 2, indexing="ij")
    return heightfield_solid(height(x, y), origin=np.array([-half, -half]), spacing=half / 12, floor=floor)


def test_a_hollow_under_a_plate_is_found_where_it_is(icosphere):
    ball = icosphere(4)
    hollow = to_solid(ball.with_vertices(ball.vertices * 4.0 + [2.0, -1.0, -2.6]))
    part = to_mesh(to_solid(plate(lambda x, y: 2.0 + 0 * x)) - hollow)  # its top is at 1.4, 0.6 mm below the plate's
    found = thinnest_place(part, axis=UP)
    assert found.mm == pytest.approx(0.6, abs=0.03)
    assert np.linalg.norm(np.array(found.at)[:2] - [2.0, -1.0]) < 1.0


@pytest.mark.parametrize("slope", [0.0, 1.0, 3.0])
def test_a_sheet_is_as_thick_as_it_is_across_and_its_cut_border_is_no_wall(slope):
    upper = to_solid(plate(lambda x, y: 30.0 + slope * x))
    lower = to_solid(plate(lambda x, y: 29.0 + slope * x, half=7.0, floor=-1.0))
    part = to_mesh(upper - lower)
    found = thinnest_place(part, axis=UP)
    assert found.mm == pytest.approx(1.0 / np.hypot(1.0, slope), abs=0.01)
    middle = part.vertices[part.faces].mean(1)
    at_border = np.abs(middle[:, :2]).max(1) > 6.0 - 1e-4
    assert np.array_equal(cut_faces(part, UP), at_border)


def test_a_fin_along_the_axis_is_a_wall(icosphere):
    fin = to_solid(plate(lambda x, y: 4.0 + 0 * x, half=3.0)).scale((0.03, 1.0, 1.0))  # 0.18 mm wide
    part = to_mesh(to_solid(plate(lambda x, y: 8.0 + 0 * x, floor=4.0)) + fin)
    assert thinnest_place(part, axis=UP).mm == pytest.approx(0.18, abs=0.01)
    strip = to_mesh(to_solid(plate(lambda x, y: 4.0 + 0 * x, half=3.0)).scale((0.03, 1.0, 1.0)))
    assert thinnest_place(strip, axis=UP).mm == pytest.approx(0.18, abs=0.01)


def test_a_wedge_that_feathers_out_is_thin():
    part = plate(lambda x, y: 0.011 + 0.1 * (6.0 - x))
    assert thinnest_place(part, axis=UP).mm < 0.05
