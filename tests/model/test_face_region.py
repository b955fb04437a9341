"""The face proper: round about its axis, symmetric, larger for a larger radius."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facecom.model.face_region import FACE_MIDDLE_Y_MM, face_mask
from facecom.model.template import Template


@given(radius=st.floats(10.0, 120.0), seed=st.integers(0, 1000))
def test_a_larger_radius_keeps_all_and_a_turn_about_the_axis_changes_nothing(radius, seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-130, 130, (200, 3))
    kept = face_mask(points, radius_mm=radius)
    assert (face_mask(points, radius_mm=radius + 5.0) | ~kept).all()
    away = points - [0, FACE_MIDDLE_Y_MM, 0]
    squared = away[:, 0] ** 2 + away[:, 1] ** 2
    clear = np.abs(squared - radius**2) > 1e-6 * radius**2
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turned = face_mask(away @ turn.T + [0, FACE_MIDDLE_Y_MM, 0], radius_mm=radius)
    np.testing.assert_array_equal(turned[clear], kept[clear])


def test_of_the_template_it_is_the_face_and_not_the_back_of_the_head():
    template = Template.load()
    mask = face_mask(template.vertices, radius_mm=80.0)
    np.testing.assert_array_equal(mask[template.mirror], mask)
    for name in ("nose", "l_eye", "r_eye", "u_lip", "l_lip"):
        assert mask[template.region_mask(name)].all(), name
    assert not mask[template.vertices[:, 2] < -80.0].any()
