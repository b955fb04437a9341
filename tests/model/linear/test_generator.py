"""The linear generator: its derivative, its symmetry, and what a checkpoint may not get away with."""

import json
import shutil

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.geometry.mesh import unique_edges
from facecom.model.checkpoint import load_model
from facecom.model.linear.generator import KIND, LinearGenerator
from facecom.model.population import MIRROR
from facecom.model.storage import DESCRIPTION, WEIGHTS


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


@pytest.fixture(scope="module")
def small(model):
    """A few modes and fields of the shipped model: quick to write."""
    picked = {"modes": model.modes[:3], "mode_odd": model.mode_odd[:3], "fields": model.fields[:2]}
    return LinearGenerator(model.template, field_odd=model.field_odd[:2], description={"sources": ["x"]}, **picked)


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("linear") / "model"
    small.save(folder)
    return folder


@pytest.fixture
def saved(written, tmp_path):
    return shutil.copytree(written, tmp_path / "model")


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_derivative_is_what_decode_does(model, level):
    code = np.random.default_rng(level).normal(size=model.code_size)
    jacobian = model.jacobian(code, level=level)
    for entry in (0, model.identity_size - 1, model.identity_size, model.code_size - 1):
        step = np.zeros(model.code_size)
        step[entry] = 1.0
        difference = (model.decode(code + step, level=level) - model.decode(code - step, level=level)) / 2
        np.testing.assert_allclose(jacobian[:, entry].reshape(-1, 3), difference, atol=2e-4)


def test_the_zero_code_is_the_mean(model):
    for level in range(4):
        np.testing.assert_array_equal(model.decode(np.zeros(model.code_size), level=level), model.mean(level).vertices)


def test_a_level_is_the_start_of_the_next_finer_one_that_the_modes_know(model):
    code = np.random.default_rng(5).normal(size=model.code_size)
    coarse, fine = model.decode(code, level=1), model.decode(code, level=2)
    np.testing.assert_allclose(fine[: len(coarse)], coarse, atol=2e-3)


def test_each_mode_is_even_or_odd(model):
    mirror = model.template.mirror[: model.template.counts[2]]
    sign = np.where(model.mode_odd, -1.0, 1.0)[:, None, None]
    np.testing.assert_array_equal(model.modes[:, mirror] * MIRROR, sign * model.modes)
    assert model.mode_odd.any()
    assert not model.mode_odd.all()


def test_each_field_is_even_or_odd_and_smooth(model):
    mirror = model.template.mirror[: model.template.counts[1]]
    sign = np.where(model.field_odd, -1.0, 1.0)[:, None]
    np.testing.assert_array_equal(model.fields[:, mirror], sign * model.fields)
    edges = unique_edges(model.faces(1))[0]
    leading = model.fields[:10]
    assert np.abs(leading[:, edges[:, 0]] - leading[:, edges[:, 1]]).mean() < 0.5 * np.abs(leading).mean()


def test_a_code_of_another_length_and_a_level_too_fine_are_refused(model):
    with pytest.raises(ValueError, match="entries"):
        model.decode(np.zeros(3))
    with pytest.raises(ValueError, match="level"):
        model.jacobian(np.zeros(model.code_size), level=3)


@pytest.mark.parametrize("name", ["modes", "fields"])
def test_saving_and_loading_changes_no_more_than_the_storage_step(small, saved, name):
    before, after = (getattr(m, name).reshape(len(getattr(m, name)), -1) for m in (small, LinearGenerator.load(saved)))
    step = np.abs(before).max(1) / 32767
    assert np.all(np.abs(before - after).max(1) <= 0.51 * step)


def test_saving_keeps_parity_template_and_description(small, saved):
    back = LinearGenerator.load(saved)
    np.testing.assert_array_equal(back.mode_odd, small.mode_odd)
    np.testing.assert_array_equal(back.template.vertices, small.template.vertices)
    assert back.description == small.description


def test_the_same_model_gives_the_same_bytes(small, saved, tmp_path):
    small.save(tmp_path / "again")
    for name in (WEIGHTS, DESCRIPTION):
        assert (saved / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def change(path, edit):
    text = json.loads(path.read_text())
    edit(text)
    path.write_text(json.dumps(text))


DAMAGE = {
    "missing": (lambda f: (f / WEIGHTS).unlink(), WEIGHTS, "cannot be read"),
    "truncated": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-100]), WEIGHTS, "truncated"),
    "one byte": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-1] + b"?"), WEIGHTS, "damaged"),
    "older": (lambda f: change(f / DESCRIPTION, lambda t: t.update(version=0)), DESCRIPTION, "version 0"),
    "foreign": (lambda f: change(f / DESCRIPTION, lambda t: t.update(format="other")), DESCRIPTION, "not"),
    "no json": (lambda f: (f / DESCRIPTION).write_text("{"), DESCRIPTION, "not JSON"),
    "list": (lambda f: (f / DESCRIPTION).write_text("[]"), DESCRIPTION, "not"),
    "template": (lambda f: (f / "template" / "template.npz").write_bytes(b"x"), "template.npz", "damaged"),
    "folder": (shutil.rmtree, DESCRIPTION, "cannot be read"),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("load", [LinearGenerator.load, load_model])
def test_a_damaged_checkpoint_is_refused_by_file_and_reason(saved, kind, load):
    damage, file, reason = DAMAGE[kind]
    damage(saved)
    if load is load_model:
        file = saved.name if kind == "folder" else file
        reason = {"folder": "neither a folder", "foreign": "not a face model's", "list": "object"}.get(kind, reason)
    with pytest.raises(CheckpointError, match=reason) as caught:
        load(saved)
    assert file in str(caught.value)


def test_weights_of_another_template_are_refused(small, saved):
    from facecom.model.storage import read_stored, write_stored

    arrays, text = read_stored(saved, kind=KIND)
    arrays["modes"] = arrays["modes"][:, :-3]
    write_stored(saved, arrays, text, kind=KIND)
    with pytest.raises(CheckpointError, match="does not fit"):
        LinearGenerator.load(saved)


def test_many_codes_at_once_are_each_alone(small):
    codes = np.random.default_rng(2).normal(size=(3, small.code_size))
    for level in (1, 2, 3):
        together, alone = small.decode(codes, level=level), [small.decode(code, level=level) for code in codes]
        np.testing.assert_allclose(together, alone, atol=1e-4)
    with pytest.raises(ValueError, match="entries"):
        small.decode(np.zeros((2, 2, small.code_size)))


@pytest.mark.slow
@pytest.mark.parametrize("level", [2, 3])
def test_the_shipped_model_gives_the_codes_of_its_faces_back(model, level):
    code = np.random.default_rng(7).normal(size=model.code_size)
    found = model.encode(model.decode(code, level=level))
    np.testing.assert_allclose(found, code, atol=5e-3)
    np.testing.assert_allclose(model.decode(found, level=2), model.decode(code, level=2), atol=1e-3)
