"""Borders that are visible along an axis."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import boundary_loops, face_areas
from facecom.prosthesis.shell.border import polygon_self_intersections, remove_teeth, trim_hidden_border
from facecom.prosthesis.solid.booleans import extrude_to_floor, is_simple_polygon

UP = np.array([0.0, 0.0, 1.0])


def _winding(workshop):
    """A strip that winds up by a little more than one turn, so that its ends lie over each other."""
    return workshop.grid_disc(
        np.linspace(4, 8, 9), np.linspace(0, 2 * np.pi + 0.5, 80), lambda r, t: (r * np.cos(t), r * np.sin(t), 0.5 * t)
    )


def test_a_border_that_lies_over_itself_is_trimmed_until_a_solid_can_stand_under_it(workshop):
    strip = _winding(workshop)
    loop = boundary_loops(strip.faces)[0]
    assert not is_simple_polygon(strip.vertices[loop][:, :2])
    with pytest.raises(ValueError, match="intersects itself"):
        extrude_to_floor(strip, floor=-5.0)
    cut, weights = trim_hidden_border(strip, UP)
    assert np.allclose(weights @ strip.vertices, cut.vertices)
    assert face_areas(cut).sum() > 0.75 * face_areas(strip).sum()
    assert not len(intersecting_edges(extrude_to_floor(cut, floor=-5.0)))
    opposite = np.abs(np.arctan2(strip.vertices[:, 1], -strip.vertices[:, 0])) < 1.0
    assert np.isin(np.round(strip.vertices[opposite], 9), np.round(cut.vertices, 9)).all()


def test_a_border_that_is_seen_whole_stays_as_it_is(workshop):
    plate = workshop.plate()
    assert len(trim_hidden_border(plate, UP)[0].faces) == len(plate.faces)


def test_teeth_that_a_disc_does_not_fit_into_are_taken_off_and_corners_stay(workshop):
    ticks = np.concatenate([np.arange(-6.0, 6.1, 0.5), [0.2]])
    plate = workshop.grid_disc(np.sort(ticks), np.arange(-6.0, 7.6, 0.5), lambda u, v: (u, v, 0.2 * v))
    middle = plate.vertices[plate.faces].mean(1)
    # Above y = 6 one tooth of 0.2 mm and a tab of 1.5 mm are left.
    tooth, tab = (middle[:, 0] > 0) & (middle[:, 0] < 0.2), (middle[:, 0] > 3) & (middle[:, 0] < 4.5)
    ragged, _ = plate.submesh((middle[:, 1] < 6) | tooth | tab)
    plain, weights = remove_teeth(ragged, radius_mm=0.3)
    assert np.allclose(weights @ ragged.vertices, plain.vertices)
    over = plain.vertices[plain.vertices[:, 1] > 6.4]
    assert over[:, 0].min() == 3.0 and over[:, 1].max() == 7.5
    away = cKDTree(plain.vertices).query(ragged.vertices)[0]
    corner = (np.abs(ragged.vertices[:, 0]) == 6.0) & (np.abs(ragged.vertices[:, 1]) == 6.0)
    assert away[(ragged.vertices[:, 1] <= 5.5) & ~corner].max() == 0.0 and 0.0 < away[corner].max() < 0.25
    assert len(remove_teeth(plain, radius_mm=0.3)[0].faces) == len(plain.faces)


def test_polygons_that_cross_themselves_are_told_from_those_that_do_not():
    rng = np.random.default_rng(0)
    for _ in range(5):
        angle = np.sort(rng.uniform(0, 2 * np.pi, 40))
        star = rng.uniform(2, 5, 40)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        assert polygon_self_intersections(star).any() == (not is_simple_polygon(star))
    folded = np.array([[0, 0], [4, 0], [4, 4], [1, 4], [1, -1], [0, -1.0]])
    assert polygon_self_intersections(folded)[[0, 1, 3, 4]].all()
