"""Model folders made to do harm: each is one CheckpointError, before memory is touched or taken that is not theirs."""

import hashlib
import io
import json
import os
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp
from safetensors.numpy import load, save

from facecom.errors import CheckpointError
from facecom.geometry.transform import Similarity
from facecom.io.arrays import read_npy, read_npz
from facecom.model.adapters.linear_files import read_linear
from facecom.model.adapters.source import LinearSource
from facecom.model.adapters.transferred import transfer
from facecom.model.checkpoint import load_model
from facecom.model.linear.generator import LinearGenerator
from facecom.model.storage import checked_csr, npz_bytes
from facecom.model.template import Template


@pytest.fixture(scope="module")
def template():
    return Template.load()


@pytest.fixture
def transferred(template, tmp_path):
    level = template.mesh(0)
    source = LinearSource(level.vertices, level.faces, np.ones((1, len(level.vertices), 3)), "test")
    transfer(source, template, template.vertices, pose=Similarity()).save(tmp_path)
    return tmp_path


@pytest.fixture
def linear(leading_model, tmp_path):
    leading_model(3, 2).save(tmp_path)
    return tmp_path


def change(folder, **arrays):
    """Put other arrays into a model, with the hash that they ask for."""
    path = folder / "weights.safetensors"
    found = load(path.read_bytes())
    for name, edit in arrays.items():
        name = name.replace("__", ".")
        found[name] = np.ascontiguousarray(edit(found[name].copy()))
    seal(folder, save(found))


def seal(folder, data, *, arrays="weights.safetensors", text="model.json"):
    (folder / arrays).write_bytes(data)
    description = json.loads((folder / text).read_text())
    description["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / text).write_text(json.dumps(description))


def put(place, value):
    def edit(array):
        array[place] = value
        return array

    return edit


SPARSE = {
    "index beyond": {"indices": put(5, 10**8)},
    "index below": {"indices": put(0, -1)},
    "row beyond": {"indptr": put(-1, 10**9)},
    "rows back": {"indptr": put(3, 10**6)},
    "first row": {"indptr": put(0, -7)},
    "fewer rows": {"indptr": lambda a: a[:-1]},
    "fewer indices": {"indices": lambda a: a[:-1]},
    "fractions": {"indices": lambda a: a.astype(float)},
    "nan": {"data": put(0, np.nan)},
    "mean": {"source__mean": put((0, 0), np.inf)},
    "triangles": {"source__triangles": put((0, 0), 10**9)},
    "scale": {"scale": lambda a: -a},
    "rotation": {"rotation": lambda a: 2 * a},
    "no scale": {"scale": lambda a: a[:0]},
}


@pytest.mark.parametrize("fault", SPARSE)
def test_indices_are_checked_before_use(transferred, fault):
    assert load_model(transferred).code_size == 1
    change(transferred, **SPARSE[fault])
    with pytest.raises(CheckpointError, match=r"weights\.safetensors"):
        load_model(transferred)


def test_a_checked_sparse_matrix_is_the_one_that_was_stored():
    matrix = sp.random(7, 5, density=0.4, format="csr", random_state=0)
    found = checked_csr(matrix.data, matrix.indices, matrix.indptr, shape=(7, 5))
    np.testing.assert_array_equal(found.toarray(), matrix.toarray())


@pytest.mark.parametrize("vertices", [10**12, "many", None, -3, 1.5, [1]])
def test_a_number_of_vertices_that_cannot_be(transferred, vertices):
    text = json.loads((transferred / "model.json").read_text())
    (transferred / "model.json").write_text(json.dumps({**text, "vertices": vertices}))
    with pytest.raises(CheckpointError):
        load_model(transferred)


LINEAR = {
    "nan": {"mode_scale": put(0, np.nan)},
    "modes": {"modes": lambda a: a[:, :-3]},
    "parity": {"mode_odd": lambda a: a[:1]},
    "fields": {"fields": lambda a: a[0]},
    "words": {"field_scale": lambda a: a.astype(np.float64) * np.inf},
}


@pytest.mark.parametrize("fault", LINEAR)
def test_linear_models_that_do_not_fit(linear, fault):
    assert isinstance(load_model(linear), LinearGenerator)
    change(linear, **LINEAR[fault])
    with pytest.raises(CheckpointError, match=r"weights\.safetensors"):
        load_model(linear)


TEMPLATE = {
    "below": {"faces_0": put((0, 0), -5)},
    "beyond": {"faces_1": put((0, 0), 10**9)},
    "no level": {"faces_2": lambda a: a[:-9]},
    "mirror": {"mirror": put(3, 10**9)},
    "mirror below": {"mirror": put(3, -1)},
    "region": {"region": put(0, 120)},
    "landmark": {"landmarks": put(0, 10**8)},
    "vertices": {"vertices": put((0, 0), np.nan)},
    "columns": {"vertices": lambda a: a[:, :2]},
}


@pytest.mark.parametrize("fault", TEMPLATE)
def test_templates_that_name_what_is_not_there(template, tmp_path, fault):
    template.save(tmp_path)
    Template.load(tmp_path)
    arrays = read_npz((tmp_path / "template.npz").read_bytes())
    for name, edit in TEMPLATE[fault].items():
        arrays[name] = edit(arrays[name].copy())
    seal(tmp_path, npz_bytes(arrays), arrays="template.npz", text="template.json")
    with pytest.raises(CheckpointError, match=r"template\.npz"):
        Template.load(tmp_path)


DEEP_LIST, DEEP_OBJECT = "[" * 200_000, '{"a":' * 200_000


@pytest.mark.parametrize("text", [DEEP_LIST, DEEP_OBJECT, '{"format": "facecom-linear", "version": 1}', "\xff"])
def test_descriptions_that_are_none(linear, text):
    (linear / "model.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError):
        load_model(linear)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_devices_and_pipes_are_not_read(linear, name):
    (linear / name).unlink()
    os.mkfifo(linear / name)
    with pytest.raises(CheckpointError, match="regular file"):
        load_model(linear)


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def zipped(**entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(f"{name}.npy", data)
    return out.getvalue()


def test_an_archive_that_unpacks_to_far_more_is_refused_by_what_it_declares(tmp_path, monkeypatch):
    bomb = zipped(mean=bytes(200_000_000))
    assert len(bomb) < 1_000_000
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(ValueError, match="declares 200 MB"):
        read_npz(bomb)
    (tmp_path / "model.npz").write_bytes(bomb)
    with pytest.raises(CheckpointError, match="declares"):
        read_linear(tmp_path / "model.npz")


def lying(data, size):
    """The same archive with another unpacked size in its directory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        real = archive.infolist()[0].file_size
    return data.replace(real.to_bytes(4, "little"), size.to_bytes(4, "little"))


DAMAGED = {
    "lies": lambda: lying(zipped(mean=npy(np.zeros(70_000))), 5),
    "claims more": lambda: zipped(mean=npy(np.zeros(9)).replace(b"(9,), }     ", b"(9000000,), ")),
    "objects": lambda: zipped(mean=npy(np.array([{}], object))),
    "no array": lambda: zipped(mean=b"hello"),
    "no archive": lambda: b"PK\x03\x04" + bytes(100),
    "empty": lambda: b"",
    "header": lambda: zipped(mean=npy(np.zeros(9)).replace(b"{'descr'", b"[[[[[[[[")),
}


@pytest.mark.parametrize("fault", DAMAGED)
def test_archives_that_are_damaged(fault):
    with pytest.raises(ValueError, match=r"\w"):
        read_npz(DAMAGED[fault]())


def test_arrays_come_back():
    array = np.asfortranarray(np.random.default_rng(0).normal(size=(4, 3)))
    np.testing.assert_array_equal(read_npy(npy(array)), array)
    np.testing.assert_array_equal(read_npz(npz_bytes({"a": array}))["a"], array)
    assert read_npy(npy(np.float64(3.0))).shape == ()
    assert read_npy(npy(np.zeros((0, 3)))).shape == (0, 3)
