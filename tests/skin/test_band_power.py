"""Band power is continued into a hole."""

from __future__ import annotations

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.skin.band_power import target_band_power, with_tension_lines


def test_power_is_kept_near_the_observed_and_follows_the_opposite_side(grid):
    vertices, faces = grid(6.0, 0.5)
    mesh, x = Mesh(vertices, faces), vertices[:, :1]
    observed = np.abs(vertices[:, :2]).max(1) > 3.0
    own = np.tile(-9.0 + 0.1 * x, (1, 4))
    no = np.zeros(len(x), bool)
    flat = target_band_power(mesh, own, observed, mirrored=own, mirrored_observed=no, mirror_weight=1.0, range_mm=1e3)
    assert np.abs(flat - own)[observed].max() < 0.2
    bump = own + 1.5 * np.exp(-(vertices[:, :2] ** 2).sum(1) / 4)[:, None]
    led = target_band_power(mesh, own, observed, mirrored=bump, mirrored_observed=~no, mirror_weight=1.0, range_mm=1e3)
    middle = np.linalg.norm(vertices[:, :2], axis=1).argmin()
    assert led[middle, 0] - flat[middle, 0] == pytest.approx(1.5, abs=0.4)
    with pytest.raises(ValueError, match="no relief was observed"):
        target_band_power(mesh, own, no, mirrored=own, mirrored_observed=no, mirror_weight=1.0)


def test_power_changes_at_the_border_of_a_region(grid):
    vertices, faces = grid(6.0, 0.5)
    mesh, right = Mesh(vertices, faces), vertices[:, 0] > 0
    observed = np.abs(vertices[:, 0]) > 4
    own = np.tile(np.where(right, -8.0, -11.0)[:, None], (1, 4))
    settings = {
        "mirrored": own,
        "mirrored_observed": ~observed & False,
        "mirror_weight": 0.0,
        "range_mm": 1e3,
        "spread": (9.0,) * 4,
    }
    free = target_band_power(mesh, own, observed, **settings)[:, 0]
    held = target_band_power(mesh, own, observed, region=right.astype(int), **settings)[:, 0]
    near = np.abs(vertices[:, 0] - 0.5) < 0.01
    assert (held[near].mean() - -8.0) ** 2 < 0.3 * (free[near].mean() - -8.0) ** 2


def test_an_observed_direction_wins_over_the_tension_lines_of_faces_at_large():
    across, up = np.diag([1.0, 0.0, 0.0]), np.array([[0.0, 0.0, 1.0]])
    given = np.array([[-0.8, 0.0], [0.0, 0.0]])
    got = with_tension_lines(given, np.stack([across, across]), np.repeat(up, 2, axis=0), share=0.3)
    assert got[0, 0] < -0.7 and got[1] == pytest.approx([0.3, 0.0])
    none = with_tension_lines(given, np.stack([np.eye(3)] * 2), np.repeat(up, 2, axis=0), share=0.3)
    assert np.allclose(none, given)
