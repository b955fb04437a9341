"""Random faces depend on the seed alone, and the way between two codes stays among faces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.__main__ import main
from facecom.io.files import read_scan
from facecom.model.linear.generator import LinearGenerator
from facecom.model.sampling import interpolate, sample_codes, sample_meshes


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


def test_the_same_seed_gives_the_same_faces_and_another_does_not(model):
    first, again, other = (sample_meshes(model, 1, seed=seed, level=0)[0].vertices for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1.0


def test_a_face_does_not_depend_on_how_many_are_drawn(model):
    np.testing.assert_array_equal(sample_codes(model, 5, seed=1)[:2], sample_codes(model, 2, seed=1))


def test_samples_have_the_size_of_real_variation(model):
    faces = np.array([m.vertices for m in sample_meshes(model, 40, seed=0, level=0)])
    spread = np.sqrt(((faces - model.template.vertices[: faces.shape[1]]) ** 2).sum(-1).mean())
    assert 2.0 < spread < 12.0  # people differ from the mean by millimetres, not by tenths or centimetres


def test_a_negative_number_of_faces_is_refused(model):
    with pytest.raises(ValueError, match="negative"):
        sample_codes(model, -1, seed=0)


@given(seed=st.integers(0, 10_000), size=st.integers(2, 40), steps=st.integers(2, 9))
def test_the_way_keeps_its_ends_and_never_gets_shorter_than_both(seed, size, steps):
    first, second = np.random.default_rng(seed).normal(size=(2, size))
    way = interpolate(first, second, steps)
    np.testing.assert_array_equal(way[[0, -1]], [first, second])
    lengths = np.linalg.norm(way, axis=1)
    low, high = sorted([lengths[0], lengths[-1]])
    assert np.all(lengths > low - 1e-9)
    assert np.all(lengths < high + 1e-9)


def test_the_way_back_is_the_same_way():
    first, second = np.random.default_rng(0).normal(size=(2, 12))
    np.testing.assert_allclose(interpolate(first, second, 7), interpolate(second, first, 7)[::-1], atol=1e-12)


def test_from_the_mean_and_between_equal_codes_the_way_is_straight():
    code = np.arange(4.0)
    np.testing.assert_allclose(interpolate(np.zeros(4), code, 3)[1], code / 2)
    np.testing.assert_allclose(interpolate(code, code, 3)[1], code)


@pytest.mark.parametrize(("first", "second", "steps"), [(np.zeros(3), np.zeros(4), 3), (np.zeros(3), np.ones(3), 1)])
def test_ways_that_cannot_be_are_refused(first, second, steps):
    with pytest.raises(ValueError, match="code|steps"):
        interpolate(first, second, steps)


def test_the_command_writes_the_same_faces_each_time(model, tmp_path, capsys):
    for folder in ("a", "b"):
        assert main(["sample", "--number", "2", "--seed", "7", "--out", str(tmp_path / folder), "--level", "1"]) == 0
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == ["face_0000.ply", "face_0001.ply"]
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)
    expected = sample_meshes(model, 2, seed=7, level=1)[1]
    mesh = read_scan(tmp_path / "a" / "face_0001.ply")
    np.testing.assert_allclose(mesh.vertices, expected.vertices, atol=1e-4)
    assert "2 faces" in capsys.readouterr().out
