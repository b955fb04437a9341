"""Settings that do not fit together are refused."""

import pytest

from facecom.prosthesis import DesignSettings


def test_lengths_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="must not fall from edge"):
        DesignSettings(wall_mm=0.2)
    with pytest.raises(ValueError, match="margin_mm must be a positive length"):
        DesignSettings(margin_mm=-1.0)
    with pytest.raises(ValueError, match="least_cm3 must be a number that is not negative"):
        DesignSettings(least_cm3=-1.0)
    with pytest.raises(ValueError, match="mirror must be"):
        DesignSettings(mirror="maybe")


def test_lengths_of_a_part_are_taken():
    assert DesignSettings(margin_mm=8.0, edge_mm=0.1, lip_mm=3.0, wall_mm=3.0, clearance_mm=0.0).margin_mm == 8.0
