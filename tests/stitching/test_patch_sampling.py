"""The target edge length goes from the rim to the template."""

import numpy as np
import pytest

from facecom.stitching.patch_sampling import sizing_field


def test_a_torn_edge_does_not_make_the_patch_coarse() -> None:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    foot_points = 20.0 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    edges = np.stack([np.arange(40), (np.arange(40) + 1) % 40], axis=1)
    edge_length = np.full(40, 3.0)
    edge_length[7] = 60.0
    sizing = sizing_field(foot_points, edges, edge_length, grading=0.3)
    assert sizing.evaluate(np.zeros((1, 3)), np.ones(1))[0] == pytest.approx(1.0)
    assert sizing.evaluate(foot_points[7:8], np.ones(1))[0] < 3.01 * 3.0


def test_the_target_length_goes_from_the_rims_to_the_templates_own() -> None:
    rim = np.array([[0.0, 0, 0], [0, 1, 0]])
    sizing = sizing_field(rim, np.array([[0, 1]]), np.full(2, 0.5), grading=0.25)
    away = np.array([[0.0, 0, 0], [2, 0, 0], [6, 0, 0], [400, 0, 0]])
    target, distance = sizing.evaluate(away, np.full(4, 2.0))
    assert target == pytest.approx([0.5, 1.0, 2.0, 2.0])
    assert distance[:3] == pytest.approx([0, 2, 6])
    assert np.isinf(distance[3])
