from typing import get_args

import pytest

from facecom.geometry.units import MM_PER_UNIT, Unit


def test_each_unit_has_its_length():
    """A metre is a thousand millimetres, a hundredth of it a centimetre."""
    assert set(MM_PER_UNIT) == set(get_args(Unit))
    assert MM_PER_UNIT["mm"] == 1.0
    assert MM_PER_UNIT["m"] == 1000.0
    assert MM_PER_UNIT["cm"] == pytest.approx(MM_PER_UNIT["m"] / 100.0)
