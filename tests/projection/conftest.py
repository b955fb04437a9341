"""Sheets that the projection tests share."""

import numpy as np
import pytest

from facecom.geometry.subdivision import midpoint_matrix, split_faces


@pytest.fixture(scope="module")
def square(sheet):
    return sheet(50, 50, seed=2)


@pytest.fixture(scope="module")
def levels(sheet):
    """A bent sheet on two nested levels, and how values go to each from the level above it."""
    flat = sheet(12, 12)
    halves = [split_faces(flat.faces, len(flat.vertices))]
    halves.append(split_faces(halves[0][0], len(flat.vertices) + len(halves[0][1])))
    (middle_faces, first), (fine_faces, second) = halves
    to_middle = midpoint_matrix(first, len(flat.vertices))
    to_fine = midpoint_matrix(second, len(flat.vertices) + len(first))
    x, y = (to_middle @ flat.vertices[:, :2] * 8.0 - 48.0).T
    bent = np.stack([x, y, -0.006 * (x**2 + y**2)], 1)
    return ((bent, middle_faces), (to_fine @ bent, fine_faces)), (to_middle, to_fine)
