"""The offset in a hole follows the rim and the opposite side."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Mesh
from facecom.projection.extrapolation import extrapolated_offset
from facecom.projection.settings import ProjectSettings


def test_offset_in_a_hole_goes_on_as_the_rim_suggests(levels):
    """A tilt around a hole is extrapolated into it, the middle of a wide one falls back, and observed offsets stay."""
    (_, (fine, faces)), _ = levels
    distance = np.hypot(*fine[:, :2].T)
    tilt = 0.04 * fine[:, 0]
    for radius, share in ((8.0, 0.6), (40.0, 0.0)):
        observed = distance > radius
        given = np.where(observed, tilt, 0.0)
        solved = extrapolated_offset(
            Mesh(fine, faces), given, observed, settings=ProjectSettings(extrapolation_depth_mm=20.0)
        )
        inside = (distance > 0.4 * radius) & (distance < 0.7 * radius)
        followed = (solved[inside] @ tilt[inside]) / (tilt[inside] @ tilt[inside])
        assert np.array_equal(solved[observed], given[observed])
        assert followed > share
        assert np.abs(solved[distance < radius - 20.5]).max(initial=0.0) == 0.0
    assert followed < 0.9


def test_a_whole_or_an_unobserved_face_has_nothing_to_extrapolate(levels):
    (_, (fine, faces)), _ = levels
    offset = np.sin(fine[:, 0])
    for observed in (np.ones(len(fine), bool), np.zeros(len(fine), bool)):
        assert extrapolated_offset(Mesh(fine, faces), offset, observed, settings=ProjectSettings()) is offset


def test_what_the_opposite_side_has_and_the_model_lacks_comes_back(levels):
    """A bump on both sides, one of them in a hole that the rim does not announce."""
    (_, (fine, faces)), _ = levels
    mirror = cKDTree(fine).query(fine * [-1.0, 1.0, 1.0])[1]
    bump = np.exp(-((np.abs(fine[:, 0]) - 25.0) ** 2 + fine[:, 1] ** 2) / (2 * 5.0**2))
    observed = np.hypot(fine[:, 0] - 25.0, fine[:, 1]) > 14.0
    given, top = np.where(observed, bump, 0.0), np.hypot(fine[:, 0] - 25.0, fine[:, 1]).argmin()
    sheet = Mesh(fine, faces)
    alone, led, none = (
        extrapolated_offset(sheet, given, observed, mirror=m, settings=ProjectSettings(mirror_share=share))
        for m, share in ((None, 0.6), (mirror, 0.6), (mirror, 0.0))
    )
    assert abs(alone[top]) < 0.2 and np.array_equal(alone, none)
    assert led[top] == pytest.approx(0.6, abs=0.12)
    assert np.array_equal(led[observed], given[observed])
