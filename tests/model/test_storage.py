"""Folders of models: equal contents give equal bytes, and whatever is wrong names the file and the reason."""

import hashlib
import json

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.model.storage import StorageFormat, read_stored, to_int16, write_stored

KINDS = [StorageFormat("test", 3), StorageFormat("test", 3, "arrays.npz", "about.json")]
ARRAYS = {"b": np.arange(6.0).reshape(2, 3)[:, ::-1], "a": np.array([1, 2], np.int16)}


def about(folder, kind, **change):
    path = folder / kind.description
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def fill(folder, kind, data):
    (folder / kind.arrays).write_bytes(data)
    about(folder, kind, sha256=hashlib.sha256(data).hexdigest())


DAMAGE = {
    "no folder": (lambda f, k: [p.unlink() for p in f.iterdir()], "description", "cannot be read"),
    "no arrays": (lambda f, k: (f / k.arrays).unlink(), "arrays", "cannot be read"),
    "truncated": (lambda f, k: (f / k.arrays).write_bytes((f / k.arrays).read_bytes()[:-9]), "arrays", "truncated"),
    "a byte": (lambda f, k: (f / k.arrays).write_bytes((f / k.arrays).read_bytes()[:-1] + b"?"), "arrays", "damaged"),
    "not arrays": (lambda f, k: fill(f, k, b"something else"), "arrays", "not a .* file of arrays"),
    "no json": (lambda f, k: (f / k.description).write_text("{"), "description", "not JSON"),
    "a list": (lambda f, k: (f / k.description).write_text("[]"), "description", "does not hold an object"),
    "older": (lambda f, k: about(f, k, version=2), "description", "version 2 .* reads version 3"),
    "newer": (lambda f, k: about(f, k, version=4), "description", "version 4 .* reads version 3"),
    "foreign": (lambda f, k: about(f, k, format="other"), "description", "'other', not 'test'"),
    "no hash": (lambda f, k: about(f, k, sha256=None), "arrays", "damaged"),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.arrays)
def test_what_was_written_comes_back_and_twice_is_the_same(kind, tmp_path):
    for name in ("one", "two"):
        write_stored(tmp_path / name, ARRAYS, {"of": "me"}, kind=kind)
    arrays, text = read_stored(tmp_path / "one", kind=kind)
    assert text["of"] == "me"
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.arrays)
@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_wrong_is_said_with_the_file(kind, damage, tmp_path):
    write_stored(tmp_path, ARRAYS, {}, kind=kind)
    change, file, reason = DAMAGE[damage]
    change(tmp_path, kind)
    with pytest.raises(CheckpointError, match=reason) as caught:
        read_stored(tmp_path, kind=kind)
    assert str(tmp_path / getattr(kind, file)) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(4, 7), (3, 5, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_in_sixteen_bits_are_off_by_half_a_step_at_most(shape, dtype):
    rows = np.random.default_rng(0).normal(size=shape).astype(dtype) * 10.0 ** np.arange(shape[0]).reshape(
        -1, *[1] * (len(shape) - 1)
    )
    rows[1] = 0.0
    assert [part.shape for part in to_int16(rows[:0])] == [(0, *shape[1:]), (0,)]
    stored, scale = to_int16(rows)
    assert stored.dtype == np.int16 and scale.dtype == np.float64 and stored.shape == rows.shape
    step = scale.reshape(-1, *[1] * (len(shape) - 1))
    assert np.all(np.abs(stored * step - rows) <= 0.501 * step)
    assert np.all(np.abs(stored).reshape(len(rows), -1).max(axis=1) == [32767, 0, *[32767] * (len(rows) - 2)])
