"""A model by name or folder: every kind comes back as itself, and what is unknown is answered with what is known."""

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.model.adapters import transferred
from facecom.model.checkpoint import _LOADERS, load_model
from facecom.model.linear import generator as linear
from facecom.model.linear.generator import LinearGenerator
from facecom.model.network import generator as network
from facecom.model.storage import DESCRIPTION


def test_the_shipped_model_is_what_comes_without_a_name():
    assert load_model() is LinearGenerator.load()
    assert load_model("shipped") is LinearGenerator.load()


def test_the_formats_are_those_that_the_models_write():
    assert set(_LOADERS) == {linear.KIND.format, network.KIND.format, transferred.KIND.format}


@pytest.mark.parametrize("kind", ["linear", "network", "transferred", "facecom"])
def test_a_folder_gives_the_kind_that_was_saved(kind, small_model, leading_model, tmp_path):
    model = leading_model(3, 2) if kind == "linear" else small_model(kind)
    model.save(tmp_path / "model")
    for name in (tmp_path / "model", str(tmp_path / "model")):
        back = load_model(name)
        assert type(back) is type(model)
        code = np.random.default_rng(0).normal(size=model.code_size)
        np.testing.assert_allclose(back.decode(code, level=1), model.decode(code, level=1), atol=2e-3)


@pytest.mark.parametrize("name", ["shiped", "no/such/folder"])
def test_an_unknown_name_is_answered_with_the_known_ones(name):
    with pytest.raises(
        CheckpointError, match="'shipped'.*facecom-linear, facecom-generator, facecom-carried"
    ) as caught:
        load_model(name)
    assert "\n" not in str(caught.value)


def test_a_folder_of_something_else_is_answered_with_the_known_formats(tmp_path):
    with pytest.raises(CheckpointError, match=rf"{DESCRIPTION}: cannot be read"):
        load_model(tmp_path)
    (tmp_path / DESCRIPTION).write_text('{"format": "other"}')
    with pytest.raises(CheckpointError, match="'other'.*facecom-linear, facecom-generator, facecom-carried"):
        load_model(tmp_path)
