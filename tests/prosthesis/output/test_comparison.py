"""Designs side by side."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from facecom.geometry.transform import Similarity
from facecom.prosthesis import save_comparison
from facecom.prosthesis.output.comparison import comparison_picture, difference

UP = np.array([0.0, 0.0, 1.0])


def test_designs_are_compared_with_the_first(workshop, tmp_path):
    def of(shift):
        plate = workshop.plate(z=shift)
        return SimpleNamespace(
            shell=plate,
            provenance=np.zeros(len(plate.vertices), int),
            axis=UP,
            to_face=Similarity(np.eye(3), np.zeros(3)),
        )

    first, other = of(0.0), of(0.4)
    found = difference(first, other)
    assert found.mean == pytest.approx(0.4) and found.most == pytest.approx(0.4)
    assert difference(first, first).most == 0.0
    picture = comparison_picture([first, other], size=60)
    assert picture.shape[1] == 120
    assert not np.array_equal(picture[-60:, :60], picture[-60:, 60:])
    save_comparison([first, other], tmp_path / "both.png")
    with Image.open(tmp_path / "both.png") as image:
        assert np.asarray(image).shape == (3 * 300 + 2 * 18, 2 * 300, 3)
