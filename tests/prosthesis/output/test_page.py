"""The inspection page."""

from dataclasses import replace

import numpy as np
import pytest

from facecom.prosthesis.output.page import inspection_picture


@pytest.mark.slow
def test_the_page_has_two_rows_of_pictures_over_the_figures(part):
    page = inspection_picture(part, size=60)
    assert page.shape == (2 * (60 + 18) + 5 * 20 + 8, 4 * 60, 3) and page.dtype == np.uint8
    # Every picture shows something, and other figures are other text.
    for row in (0, 78):
        for k in range(4):
            assert (page[row + 18 : row + 78, 60 * k : 60 * (k + 1)] < 250).any()
    heavier = replace(part, inspection=replace(part.inspection, volume_mm3=2.0 * part.inspection.volume_mm3))
    other = inspection_picture(heavier, size=60)
    assert np.array_equal(other[:156], page[:156]) and not np.array_equal(other[156:], page[156:])
