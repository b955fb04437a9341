"""Thin walls of a part behind its outer face are found, and cut off."""

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.prosthesis.shell.fins import left_thin, thin_places, without_fins
from facecom.prosthesis.solid.booleans import extrude_to_floor, to_mesh, to_solid

AXIS_LEAN = 0.15
"""Sine by which the fins of these tests lean from the axis: what stands along it is the cut along a border."""


def slab(low, high):
    """A block between two corners."""
    (a, b, c), (d, e, f) = low, high
    top = Mesh([[a, b, f], [d, b, f], [d, e, f], [a, e, f]], [[0, 1, 2], [0, 2, 3]])
    return to_solid(extrude_to_floor(top, floor=c))


def leaning(solid):
    """A solid sheared along x with its height."""
    return solid.transform(np.array([[1.0, 0.0, AXIS_LEAN, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]))


@pytest.fixture(scope="module")
def finned():
    """A wall of 2 mm over a fin of 0.2 mm and a rib of 0.8 mm, each 3 mm high; and its outer face."""
    wall = slab((-8, -8, -2), (8, 8, 0))
    fin, rib = (leaning(slab((x, -6, -5), (x + w, 6, -1.9))) for x, w in ((-4, 0.2), (3, 0.8)))
    outer = Mesh([[-8, -8, 0], [8, -8, 0], [8, 8, 0], [-8, 8, 0]], [[0, 1, 2], [0, 2, 3]])
    return wall + fin + rib, outer


def test_a_fin_is_cut_off_and_a_rib_and_the_wall_stay(finned):
    part, outer = finned
    whole = without_fins(part, outer, least_mm=0.3)
    kept = max(whole.decompose(), key=lambda piece: piece.volume())
    below = kept.trim_by_plane((0.0, 0.0, -1.0), 2.6)
    left, right = below.trim_by_plane((-1.0, 0.0, 0.0), 1.0), below.trim_by_plane((1.0, 0.0, 0.0), 1.0)
    assert left.volume() < 0.05 and right.volume() == pytest.approx(0.8 * 12.0 * 2.4, rel=0.02)
    # Where the fin stood the wall is dented by no more than a ball reaches.
    assert 0.0 < part.volume() - kept.volume() < 0.2 * 12.0 * 3.0 + 12.0 * 0.5
    assert not len(left_thin(to_mesh(kept), least_mm=0.3))


def test_a_sound_part_stays_as_it_is(finned):
    part, outer = finned
    assert without_fins(part, outer, least_mm=0.15) is part


def test_nothing_is_cut_off_near_the_outer_face():
    plate, outer = (
        slab((-5, -5, -0.2), (5, 5, 0)),
        Mesh([[-5, -5, 0], [5, -5, 0], [5, 5, 0], [-5, 5, 0]], [[0, 1, 2], [0, 2, 3]]),
    )
    assert without_fins(plate, outer, least_mm=0.3) is plate
    assert len(left_thin(to_mesh(plate), least_mm=0.3)) > 0


def test_the_cut_along_a_border_is_no_side_of_a_wall():
    # A wedge of 17 degrees between the cut, along the axis, and a steep face.
    outline = Mesh([[0, -5, 0], [3, -5, 0], [3, 5, 0], [0, 5, 0]], [[0, 1, 2], [0, 2, 3]])
    block = to_solid(extrude_to_floor(outline, floor=-10.0))
    wedge = block.trim_by_plane((0.957, 0.0, 0.29), 0.0)
    places, _ = thin_places(to_mesh(wedge), least_mm=0.3)
    assert not len(places)
    steep = wedge.rotate((0.0, 10.0, 0.0))  # the same wedge, none of whose faces is along the axis
    assert len(thin_places(to_mesh(steep), least_mm=0.3)[0]) > 0


def test_walls_are_measured_where_triangles_are_large():
    part = leaning(slab((0, 0, -20), (0.25, 20, 0)))
    places, areas = thin_places(to_mesh(part), least_mm=0.3)
    assert areas.sum() == pytest.approx(2 * 20 * 20, rel=0.05)
    assert np.abs(places[:, 1] - 10).max() > 9 and np.abs(places[:, 2] + 10).max() > 9
