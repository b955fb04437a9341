"""A source on our template: it moves as its own arithmetic says, and comes back from a folder."""

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.adapters.linear_files import read_linear
from facecom.model.adapters.source import LinearSource
from facecom.model.adapters.transferred import transfer
from facecom.model.checkpoint import load_model
from facecom.model.template import Template


@pytest.fixture(scope="module")
def transferred():
    """The template's own level 1 in another frame and unit as the foreign model, with smooth modes."""
    template = Template.load()
    level = template.mesh(1)
    pose = Similarity(rotation_from_vector([0.3, -0.2, 0.5]), np.array([5.0, 1.0, 2.0]), 10.0)
    to_source = pose.inverse()
    modes = np.stack([np.ones_like(level.vertices), np.outer(level.vertices[:, 1], [0.0, 0.0, 0.001])])
    source = LinearSource(to_source.apply(level.vertices), level.faces, modes, "test")
    return template, source, pose, transfer(source, template, to_source.apply(template.vertices), pose=pose)


def test_a_transferred_model_moves_as_its_source_does(transferred):
    template, source, pose, model = transferred
    for code in np.random.default_rng(0).normal(size=(2, 2)):
        expected = pose.apply(source.decode(code))
        np.testing.assert_allclose(model.decode(code, level=1), expected, atol=1e-3)
        shift = model.decode(code, level=3) - template.vertices
        plain = pose.scale * pose.rotate(
            code[0] * np.ones(3) + np.outer(template.vertices[:, 1] * code[1], [0, 0, 0.001])
        )
        assert np.abs(shift - plain).max() < 0.05 * np.abs(plain).max()


def test_the_derivative_of_a_transferred_model_is_what_decode_does(transferred):
    model, code = transferred[3], np.array([0.4, -0.3])
    for level in (0, 2):
        jacobian = model.jacobian(code, level=level)
        for entry, step in enumerate(np.eye(2)):
            difference = (model.decode(code + step, level=level) - model.decode(code - step, level=level)) / 2
            np.testing.assert_allclose(jacobian[:, entry].reshape(-1, 3), difference, atol=1e-9)
    np.testing.assert_allclose(model.decode(0 * code), model.template.vertices)


def test_a_transferred_model_is_kept_and_read_back(transferred, tmp_path):
    model, code = transferred[3], np.array([0.4, -0.3])
    model.save(tmp_path)
    back = load_model(tmp_path)
    np.testing.assert_array_equal(back.decode(code), model.decode(code))
    assert back.description == model.description
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: damaged or truncated"):
        load_model(tmp_path)


def test_a_source_is_written_as_it_is_read(transferred, tmp_path):
    source = transferred[1]
    source.save(tmp_path)
    np.testing.assert_array_equal(read_linear(tmp_path / "model.npz").modes, source.modes)


def test_what_does_not_fit_is_refused(transferred):
    template, source, pose, model = transferred
    with pytest.raises(ValueError, match="registered"):
        transfer(source, template, source.mean, pose=pose)
    with pytest.raises(ValueError, match="entries"):
        model.decode(np.zeros(3))
    with pytest.raises(ValueError, match="level"):
        model.jacobian(np.zeros(2), level=3)
