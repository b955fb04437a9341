"""Withdrawal axes: undercuts, the search for an axis, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.mesh import face_areas
from facecom.geometry.transform import rotation_from_vector
from facecom.prosthesis.shell.axis import Facets, axis_frame, choose_axis, undercuts

UP = np.array([0.0, 0.0, 1.0])
COORDINATE = st.floats(-3.0, 3.0)


@given(st.tuples(COORDINATE, COORDINATE, COORDINATE).filter(lambda v: np.linalg.norm(v) > 0.1))
def test_the_axis_frame_is_a_rotation_that_takes_the_axis_to_z(axis):
    frame = axis_frame(np.array(axis))
    assert np.allclose(frame @ frame.T, np.eye(3)) and np.linalg.det(frame) == pytest.approx(1.0)
    assert np.allclose(frame @ axis, [0.0, 0.0, np.linalg.norm(axis)])


def test_half_of_a_ball_is_undercut_from_every_side(icosphere):
    ball = icosphere(2, radius=10.0)
    half = 0.5 * face_areas(ball).sum()
    for axis in (UP, np.array([0.6, 0.0, 0.8])):
        assert Facets(ball).undercut_mm2(axis) == pytest.approx(half, rel=0.08)
        assert Facets(ball).worst_deg(axis) > 80.0
        assert Facets(ball, most=110).undercut_mm2(axis) == pytest.approx(half, rel=0.1)


def test_a_cap_is_undercut_where_it_leans_and_alike_in_every_frame(icosphere):
    ball = icosphere(3, radius=10.0)
    cap, _ = ball.submesh((ball.vertices[:, 2] > 5.0)[ball.faces].all(1))
    assert undercuts(cap, cap, UP).seat_mm2 == 0.0 and undercuts(cap, None, UP).seat_mm2 == 0.0
    leaning = np.array([0.0, np.sin(1.2), np.cos(1.2)])
    found = undercuts(cap, cap, leaning)
    assert found.seat_mm2 == found.outer_mm2 > 20.0
    rotation = rotation_from_vector([0.4, -0.8, 0.3])
    moved = cap.with_vertices(cap.vertices @ rotation.T)
    again = undercuts(moved, moved, rotation @ leaning)
    assert again.seat_mm2 == pytest.approx(found.seat_mm2, rel=0.02)
    assert again.worst_deg == pytest.approx(found.worst_deg)


def test_the_axis_of_a_leaning_tube_is_along_it(workshop):
    # A cup whose walls flare by 11 degrees, leaning by 20: seen straight, one side of the walls is undercut.
    lean = np.array([np.sin(0.35), 0.0, np.cos(0.35)])

    def radius(r):
        return np.minimum(r, 6.0) + 0.2 * np.maximum(r - 6.0, 0.0)

    cup = workshop.grid_disc(
        np.linspace(0.0, 12.0, 13),
        np.linspace(0.0, 2 * np.pi, 40),
        lambda r, t: (radius(r) * np.cos(t), radius(r) * np.sin(t), -np.maximum(r - 6.0, 0.0)),
    )
    leaning = cup.with_vertices(cup.vertices @ axis_frame(lean))
    axis = choose_axis(workshop.plate(6.0), leaning, UP, given="auto", count=200)
    assert undercuts(leaning, leaning, UP).seat_mm2 > 20.0
    assert undercuts(leaning, leaning, axis).seat_mm2 < 1.0
    assert np.degrees(np.arccos(axis @ lean)) < 12.0 < np.degrees(np.arccos(UP @ lean))


def test_a_flat_part_is_taken_off_straight(workshop):
    plate = workshop.plate()
    assert np.allclose(choose_axis(plate, plate, 3.0 * UP, given="auto"), UP)
    assert np.allclose(choose_axis(plate, None, UP + [0.2, 0.0, 0.0], given="front"), UP)
    assert np.allclose(choose_axis(plate, None, UP, given=(0.0, 0.3, 0.4)), [0.0, 0.6, 0.8])


def test_impossible_axes_are_refused_with_a_sentence(workshop):
    plate = workshop.plate()
    for axis in ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 1.0), "sideways"):
        with pytest.raises(ValueError, match="axis|taken off"):
            choose_axis(plate, None, UP, given=axis)
