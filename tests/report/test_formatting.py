"""Lengths and shares as text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.model.template import Template
from facecom.report.formatting import REGION_TITLES, mm, percent


@given(st.floats(0.001, 1e4))
def test_a_length_reads_back_to_its_last_digit(value):
    number, unit = mm(value).split()
    assert unit == "mm"
    assert float(number) == pytest.approx(value, abs=0.0051 if value >= 0.1 else 0.00051)


@given(st.floats(0.0, 1.0))
def test_neither_nothing_nor_all_is_said_of_what_is_not(value):
    number = float(percent(value).split()[0])
    assert number == pytest.approx(100 * value, abs=0.51)
    assert (number == 0) == (value == 0)
    assert (number == 100) == (value == 1)


def test_what_is_not_known_is_said():
    assert mm(np.nan) == mm(np.inf) == "not known"
    assert mm(0.0) == "below 0.001 mm"


def test_every_region_of_the_template_has_a_title():
    assert set(Template.load().region_names) <= set(REGION_TITLES)
