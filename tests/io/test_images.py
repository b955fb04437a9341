"""Pictures as PNG: the same bytes for the same pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from facecom.io.images import png_bytes


@pytest.mark.parametrize("level", [0, 6, 9])
def test_a_png_reads_back_and_is_the_same_bytes_each_time(level):
    picture = np.random.default_rng(level).integers(0, 256, (7, 5, 3)).astype(np.uint8)
    first, again = (png_bytes(picture, compress_level=level) for _ in range(2))
    assert first == again
    with Image.open(io.BytesIO(first)) as image:
        assert np.array_equal(np.asarray(image), picture)
        assert image.info == {}


def test_a_higher_level_is_smaller():
    flat = np.zeros((64, 64, 3), np.uint8)
    assert len(png_bytes(flat, compress_level=9)) < len(png_bytes(flat, compress_level=0))
