"""A linear source: its arithmetic, its derivative, its polygons, and what does not fit."""

import numpy as np
import pytest

from facecom.model.adapters.linear_files import read_linear
from facecom.model.adapters.source import LinearSource, fan_triangles, mean_mesh


@pytest.fixture
def source():
    rng = np.random.default_rng(0)
    return LinearSource(rng.normal(size=(4, 3)), [[0, 1, 2], [0, 2, 3]], rng.normal(size=(2, 4, 3)), "mine")


def test_a_code_adds_its_modes_to_the_mean_and_the_derivative_says_so(source):
    code = np.array([0.5, -2.0])
    expected = source.mean + 0.5 * source.modes[0] - 2.0 * source.modes[1]
    np.testing.assert_allclose(source.decode(code), expected)
    np.testing.assert_allclose(source.mean.ravel() + source.jacobian(code) @ code, expected.ravel())
    np.testing.assert_array_equal(mean_mesh(source).vertices, source.decode(np.zeros(2)))


def test_what_is_saved_is_read_as_a_linear_file(source, tmp_path):
    source.save(tmp_path)
    back = read_linear(tmp_path / "model.npz")
    np.testing.assert_array_equal(back.modes, source.modes)
    np.testing.assert_array_equal(back.triangles, source.triangles)


def test_polygons_become_fans():
    np.testing.assert_array_equal(fan_triangles([[4, 5, 6, 7], [0, 1, 2]]), [[4, 5, 6], [4, 6, 7], [0, 1, 2]])
    assert fan_triangles([]).shape == (0, 3)


def test_modes_and_triangles_must_fit_the_mean(source):
    with pytest.raises(ValueError, match=r"modes must be \(M, 4, 3\)"):
        LinearSource(source.mean, source.triangles, source.modes[:, :3], "mine")
    with pytest.raises(ValueError, match="beyond the 4"):
        LinearSource(source.mean, [[0, 1, 4]], source.modes, "mine")
