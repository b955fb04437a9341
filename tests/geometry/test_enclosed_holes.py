"""Holes of a scan told from what lies beyond its border."""

import numpy as np
import pytest

from facecom.geometry.enclosed_holes import enclosed_holes


@pytest.fixture(scope="module")
def disc(sheet):
    """A sheet of 60 mm about the origin."""
    flat = sheet(60, 60)
    return flat.with_vertices(flat.vertices - [30.0, 30.0, 0.0])


def distance(disc, x=0.0, y=0.0):
    return np.linalg.norm(disc.vertices[:, :2] - [x, y], axis=1)


def test_a_hole_amid_the_skin_is_one_and_the_outside_is_none(disc):
    hole = distance(disc) <= 5
    observed = (distance(disc) < 22) & ~hole
    assert np.array_equal(enclosed_holes(disc, observed), hole)


def test_several_holes_are_all_found(disc):
    holes = (distance(disc, 8.0, 3.0) < 5) | (distance(disc, -9.0, -4.0) < 6)
    assert np.array_equal(enclosed_holes(disc, (distance(disc) < 26) & ~holes), holes)


@pytest.mark.parametrize(("half_width", "enclosed"), [(1.5, True), (7.0, False)])
def test_a_bay_is_a_hole_where_its_mouth_is_narrower_than_the_neck(disc, half_width, enclosed):
    bay = distance(disc) < 8
    mouth = (disc.vertices[:, 0] > 0) & (np.abs(disc.vertices[:, 1]) < half_width)
    observed = (distance(disc) < 24) & ~bay & ~mouth
    found = enclosed_holes(disc, observed)
    assert found[distance(disc) < 4].all() == enclosed
    assert found[distance(disc) < 4].any() == enclosed


def test_all_or_nothing_observed(disc):
    everything = np.ones(len(disc.vertices), bool)
    assert not enclosed_holes(disc, everything).any()
    assert enclosed_holes(disc, ~everything).all()


def test_observed_vertices_are_never_holes(disc):
    observed = np.random.default_rng(0).random(len(disc.vertices)) < 0.5
    assert not (enclosed_holes(disc, observed) & observed).any()
