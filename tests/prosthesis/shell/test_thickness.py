"""Thickness as a function of the distance from the border."""

import numpy as np
import pytest

from facecom.prosthesis.shell.thickness import Thickness


def test_thickness_never_falls_towards_the_middle_and_starts_at_the_edge(workshop):
    rim = np.linspace(0.0, 25.0, 400)
    thickness = workshop.thickness.at(rim)
    assert (np.diff(thickness) >= 0).all()
    assert thickness[0] == pytest.approx(0.3) and thickness[-1] == pytest.approx(3.0)
    assert (workshop.thickness.over_skin(rim) <= np.minimum(thickness, workshop.thickness.lip)).all()
    lift = workshop.thickness.lift(rim, rim - 5.0)
    assert np.abs(np.diff(lift)).max() < 0.05 and lift[-1] == 0.0
    whole = Thickness(edge=0.3, lip=3.0, wall=3.0, clearance=0.1, margin=5.0, blend=5.0)
    assert whole.at(np.full(1, 5.0))[0] == pytest.approx(3.0)
