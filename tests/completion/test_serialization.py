"""A completion kept in files comes back as it was."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

import facecom
from facecom.completion import AcceptanceThresholds, Completion, CompletionSettings
from facecom.completion.serialization import from_plain, load_state, save_state
from facecom.errors import CheckpointError
from facecom.geometry.mesh import Mesh
from facecom.model.linear.generator import LinearGenerator
from facecom.skin.detail import Detail
from facecom.skin.noise_bands import BandReport

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


@pytest.fixture(scope="module")
def done(model):
    face = model.sample(11, level=2)
    near = np.linalg.norm(face.vertices, axis=1) > 24.0
    lower = face.vertices[:, 2] > -70.0
    part, _ = face.submesh((near & lower)[face.faces].all(1))
    inside_out = Mesh(part.vertices / 10.0, part.faces[:, ::-1], colors=np.full((len(part.vertices), 3), 0.4))
    return facecom.complete(inside_out, unit="cm", model=model)


@pytest.fixture(scope="module")
def folder(done, tmp_path_factory):
    where = tmp_path_factory.mktemp("kept")
    done.save(where, keep=True)
    return where


def test_comes_back_bit_for_bit(done, folder, model):
    back = Completion.load(folder, model=model)
    for name in ("face", "merged", "patch"):
        one, two = getattr(done, name), getattr(back, name)
        assert np.array_equal(one.vertices, two.vertices), name
        assert np.array_equal(one.faces, two.faces), name
    assert np.array_equal(done.merged.colors, back.merged.colors)
    assert np.array_equal(done.sigma_mm, back.sigma_mm)
    assert np.array_equal(done.merged_sigma_mm, back.merged_sigma_mm)
    assert np.array_equal(done.provenance, back.provenance)
    assert np.array_equal(done.defect_probability, back.defect_probability)
    assert np.array_equal(done.doubtful_vertices, back.doubtful_vertices)
    assert json.loads(json.dumps(vars(back.report), default=list)) == json.loads(
        json.dumps(vars(done.report), default=list)
    )


def test_the_standard_deviation_of_a_free_scale_comes_back(done, model, tmp_path):
    scan = replace(done.state.scan, unit="free", mm_per_unit_sigma=0.4)
    save_state(replace(done.state, scan=scan), tmp_path)
    back = load_state(tmp_path, model=model).scan
    assert (back.unit, back.mm_per_unit_sigma) == ("free", 0.4)


def test_is_sampled_and_refitted_alike(done, folder, model):
    back = Completion.load(folder, model=model)
    assert np.array_equal(done.samples(1, seed=3)[0].face.vertices, back.samples(1, seed=3)[0].face.vertices)
    tip = done.face.vertices[model.template.landmark_index("nose_tip")] + [0.0, 0.0, 0.2]
    one, two = (c.refit({"nose_tip": tip}).face.vertices for c in (done, back))
    assert np.array_equal(one, two)


def test_files_are_the_same_each_time(done, folder, tmp_path):
    done.save(tmp_path, keep=True)
    for name in ("state.safetensors", "state.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_another_model_and_damage_are_refused(folder, model, tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no state\.json; load takes a folder"):
        Completion.load(tmp_path, model=model)
    for name in ("state.safetensors", "state.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    whole = (tmp_path / "state.safetensors").read_bytes()
    (tmp_path / "state.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="truncated"):
        Completion.load(tmp_path, model=model)
    text = json.loads((folder / "state.json").read_text())
    text["report"]["model"] = {"name": "another"}
    (tmp_path / "state.safetensors").write_bytes(whole)
    (tmp_path / "state.json").write_text(json.dumps(text))
    with pytest.raises(CheckpointError, match="was made with the model 'another'; pass it"):
        Completion.load(tmp_path, model=model)


def test_nothing_is_kept_unless_asked(done, tmp_path):
    done.save(tmp_path)
    assert not (tmp_path / "state.json").exists()


def test_settings_come_back_from_the_folder(done, tmp_path, model):
    changed = CompletionSettings(acceptance=AcceptanceThresholds(least_score=0.1), more_starts=0)
    replace(done, state=replace(done.state, settings=changed)).save(tmp_path, keep=True)
    assert Completion.load(tmp_path, model=model).settings == changed


def test_relief_comes_back(done, tmp_path, model):
    """Made up here, of two triangles: every array of it, its bands and its words."""
    rng = np.random.default_rng(0)
    mesh = Mesh(rng.normal(size=(4, 3)), [[0, 1, 2], [1, 3, 2]], uv=rng.random((4, 2)))
    one = np.ones(4)
    bands = BandReport(**{f.name: one if f.name != "spacing_mm" else 0.4 for f in fields(BandReport)})
    given = {
        f.name: one
        for f in fields(Detail)
        if f.name not in ("mesh", "smooth", "normals", "bands", "warnings", "synthetic")
    }
    relief = Detail(
        **given | {"provenance": np.array([0, 1, 2, 4])},
        mesh=mesh, smooth=mesh, normals=mesh.vertices, bands=bands, warnings=("a word",), synthetic=True,
    )  # fmt: skip
    Completion.from_state(replace(done.state, detail=relief)).save(tmp_path, keep=True)
    back = Completion.load(tmp_path, model=model).state.detail
    assert np.array_equal(back.mesh.vertices, mesh.vertices) and np.array_equal(back.mesh.uv, mesh.uv)
    assert np.array_equal(back.provenance, relief.provenance) and (back.warnings, back.synthetic) == (("a word",), True)
    assert all(np.array_equal(getattr(back.bands, f.name), getattr(bands, f.name)) for f in fields(BandReport))


def test_plain_values_that_do_not_fit_are_refused():
    with pytest.raises(TypeError):
        from_plain(CompletionSettings, {"no such field": 1})


def test_terms_of_the_callers_own_are_not_written(folder, done, tmp_path):
    """They are code; the fit they led to is what is kept."""
    own = replace(CompletionSettings().fit, extra_terms=(lambda *_, **__: None,))
    replace(done, state=replace(done.state, settings=CompletionSettings(fit=own))).save(tmp_path, keep=True)
    for name in ("state.json", "state.safetensors"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
