"""The zero level set of a function on a grid."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from facecom.prosthesis.solid.booleans import to_solid
from facecom.prosthesis.solid.isosurface import isosurface


@pytest.mark.parametrize("seed", range(4))
def test_each_edge_of_a_level_surface_has_two_faces_whatever_the_function(seed):
    values = np.random.default_rng(seed).normal(size=(12, 13, 14))
    if seed % 2:
        values = gaussian_filter(values, 1.0)
    mesh = isosurface(values, origin=np.zeros(3), spacing=0.5)
    pairs = np.sort(np.concatenate([np.roll(mesh.faces, k, axis=1)[:, :2] for k in range(3)]), axis=1)
    assert set(np.unique(pairs, axis=0, return_counts=True)[1]) == {2}
    assert to_solid(mesh).volume() > 0
