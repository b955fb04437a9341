"""The network generator: derivative, nesting, codes that come back, checkpoints, and the Hub's folder form."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from facecom.errors import CheckpointError
from facecom.fitting.fit import fit
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity
from facecom.model.checkpoint import load_model
from facecom.model.linear.generator import LinearGenerator
from facecom.model.network.generator import FaceGenerator
from facecom.model.network.mesh_network import Sizes
from facecom.model.template import Template

CODE = 6


@pytest.fixture(scope="module")
def model():
    """Six modes of the shipped model and a network whose weights are random and not small."""
    torch.manual_seed(0)
    modes = LinearGenerator.load().modes[:CODE]
    made = FaceGenerator(Template.load(), modes, sizes=Sizes(CODE, 8, 4, 3), description={"sources": ["x"]})
    with torch.no_grad():
        for last in (made.move_coarse, made.move_fine, made.leave):
            torch.nn.init.normal_(last.weight, std=0.7)
            torch.nn.init.normal_(last.bias, std=0.3)
        made.centre.normal_(std=0.3)
        made.spread.copy_(torch.eye(CODE) + 0.2 * torch.tril(torch.randn(CODE, CODE)))
    return made.eval()


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("network") / "model"
    model.save_pretrained(folder)
    return folder


def code_of(seed):
    return np.random.default_rng(seed).normal(size=CODE)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_derivative_is_what_decode_does(model, level):
    code, jacobian, h = code_of(level), model.jacobian(code_of(level), level=level), 1e-2
    for entry, step in enumerate(h * np.eye(CODE)):
        difference = (model.decode(code + step, level=level) - model.decode(code - step, level=level)) / (2 * h)
        scale = np.abs(difference).max()
        np.testing.assert_allclose(jacobian[:, entry].reshape(-1, 3), difference, atol=3e-3 * scale)


def test_the_derivative_is_that_of_automatic_differentiation(model):
    code = torch.tensor(code_of(4), dtype=torch.float32)

    def decode(c):
        return model.decode_raw((model.centre + c @ model.spread.T)[None])[0, : model.template.counts[0]].sum(0)

    expected = torch.autograd.functional.jacobian(decode, code).numpy()
    found = model.jacobian(code.numpy(), level=0).reshape(-1, 3, CODE).sum(0)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-3 * np.abs(expected).max())


def test_the_network_bends_the_trunk(model):
    code = 3.0 * code_of(1)
    straight = model.jacobian(np.zeros(CODE), level=0) @ code
    bent = (model.decode(code, level=0) - model.decode(np.zeros(CODE), level=0)).ravel()
    assert np.abs(straight - bent).max() > 0.1


def test_each_level_is_the_start_of_the_next(model):
    code = code_of(2)
    levels = [model.decode(code, level=k) for k in range(3)]
    for coarse, fine in zip(levels[:-1], levels[1:], strict=True):
        np.testing.assert_allclose(fine[: len(coarse)], coarse, atol=1e-4)
    assert model.decode(code, level=3).shape == model.template.vertices.shape


def test_many_codes_at_once_are_each_alone(model):
    codes = np.stack([code_of(k) for k in range(3)])
    for level in (1, 3):
        together = model.decode(codes, level=level)
        alone = np.stack([model.decode(code, level=level) for code in codes])
        np.testing.assert_allclose(together, alone, atol=1e-4)


def test_a_trunk_alone_gets_its_code_back():
    modes = LinearGenerator.load().modes[:CODE].astype(float)
    flat = modes.reshape(CODE, -1)
    orthogonal = np.linalg.qr(flat.T)[0].T * np.linalg.norm(flat, axis=1)[:, None]
    plain = FaceGenerator(Template.load(), orthogonal.reshape(modes.shape), sizes=Sizes(CODE, 8, 4, 3))
    code = code_of(3)
    np.testing.assert_allclose(plain.encode(plain.decode(code, level=2)), code, atol=1e-3)
    np.testing.assert_allclose(plain.encode(plain.decode(code * 0, level=3)), 0 * code, atol=1e-3)


def test_calibration_makes_the_codes_of_a_population_standard(model):
    raw = torch.randn(400, CODE) @ torch.randn(CODE, CODE) + 3.0
    probe = FaceGenerator(model.template, model.modes.reshape(CODE, -1, 3).numpy(), sizes=model.sizes)
    probe.calibrate(raw)
    codes = torch.linalg.solve_triangular(probe.spread, (raw - probe.centre).T, upper=False)
    np.testing.assert_allclose(torch.cov(codes).numpy(), np.eye(CODE), atol=2e-3)
    with pytest.raises(ValueError, match="more than"):
        probe.calibrate(raw[:CODE])


def test_a_code_of_a_single_entry_is_calibrated_too(model):
    probe = FaceGenerator(model.template, model.modes[:1].reshape(1, -1, 3).numpy(), sizes=Sizes(1, 4, 2, 2))
    raw = 2.0 * torch.randn(50, 1) - 1.0
    probe.calibrate(raw)
    torch.testing.assert_close(probe.spread[0, 0], raw.std(), rtol=1e-4, atol=0.0)


def test_saving_and_loading_gives_the_same_face(model, written):
    for back in (FaceGenerator.load(written), FaceGenerator.from_pretrained(str(written)), load_model(written)):
        np.testing.assert_allclose(back.decode(code_of(5)), model.decode(code_of(5)), atol=2e-3)
        assert back.description == {"sources": ["x"]}
    card = (written / "README.md").read_text()
    for wanted in ("## Data and licences\n\n- x\n", "Intended use", "Limits", f"code entries | {CODE} |"):
        assert wanted in card


def test_what_is_pushed_is_all_that_reading_back_needs(model, tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    seen = {}

    def upload(self, *, repo_id, folder_path, revision, **_):
        seen.update(repo=repo_id, revision=revision)
        shutil.copytree(folder_path, tmp_path / "there")
        return "done"

    monkeypatch.setattr(hub.HfApi, "create_repo", lambda self, repo_id, **_: SimpleNamespace(repo_id=repo_id))
    monkeypatch.setattr(hub.HfApi, "upload_folder", upload)
    assert model.push_to_hub("me/faces", branch="v1") == "done"
    assert seen == {"repo": "me/faces", "revision": "v1"}
    back = FaceGenerator.from_pretrained(tmp_path / "there")
    np.testing.assert_allclose(back.decode(code_of(1), level=1), model.decode(code_of(1), level=1), atol=2e-3)
    assert 'from_pretrained("me/faces")' in (tmp_path / "there" / "README.md").read_text()


def test_a_pinned_revision_and_offline_are_passed_on(written, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    asked = {}
    monkeypatch.setattr(hub, "snapshot_download", lambda name, **given: asked.update(given, name=name) or str(written))
    FaceGenerator.from_pretrained("me/faces", revision="abc123", local_files_only=True)
    assert asked == {"name": "me/faces", "revision": "abc123", "local_files_only": True}


def test_random_faces_and_the_way_between_two_need_only_the_seed(model):
    np.testing.assert_array_equal(model.sample(3, level=1).vertices, model.sample(3, level=1).vertices)
    way = model.interpolate(code_of(1), code_of(2), 4)
    np.testing.assert_array_equal(way[[0, -1]], [code_of(1), code_of(2)])
    assert np.linalg.norm(way, axis=1).min() >= min(np.linalg.norm(way[0]), np.linalg.norm(way[-1])) - 1e-9


def test_what_is_not_there_is_refused_without_a_download(tmp_path):
    with pytest.raises(CheckpointError, match="neither"):
        FaceGenerator.from_pretrained("nobody/nothing", local_files_only=True, cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda w, d: w.write_bytes(w.read_bytes()[:-9]), "truncated"),
        (lambda w, d: w.unlink(), "cannot be read"),
        (lambda w, d: d.write_text(json.dumps(json.loads(d.read_text()) | {"version": 0})), "version 0"),
        (lambda w, d: d.write_text(json.dumps(json.loads(d.read_text()) | {"format": "else"})), "else"),
        (lambda w, d: d.write_text(json.dumps(json.loads(d.read_text()) | {"sizes": {"code": CODE}})), "does not fit"),
        (lambda w, d: d.write_text(json.dumps(json.loads(d.read_text()) | {"sizes": 3})), "does not fit"),
    ],
)
def test_a_damaged_checkpoint_is_refused(written, tmp_path, damage, reason):
    weights, description = tmp_path / "weights.safetensors", tmp_path / "model.json"
    for path in (weights, description):
        path.write_bytes((written / path.name).read_bytes())
    (tmp_path / "template").symlink_to(written / "template")
    damage(weights, description)
    with pytest.raises(CheckpointError, match=reason) as caught:
        FaceGenerator.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_codes_and_faces_of_other_sizes_are_refused(model):
    with pytest.raises(ValueError, match="entries"):
        model.decode(np.zeros(CODE + 1))
    with pytest.raises(ValueError, match="vertices"):
        model.encode(np.zeros((10, 3)))
    with pytest.raises(ValueError, match="level"):
        model.jacobian(np.zeros(CODE), level=3)
    with pytest.raises(ValueError, match="modes"):
        FaceGenerator(model.template, np.zeros((CODE, 5, 3)))


@pytest.mark.slow
def test_the_second_order_fit_finds_the_face_that_the_network_made(model):
    truth = model.decode(code_of(6), level=2)
    scan = OrientedSurface(Mesh(truth, model.faces(2)))
    found = fit(scan, model, Similarity(translation=np.array([1.0, -1.0, 1.0])))
    back = found.pose.inverse().apply(model.decode(found.code, level=2))
    start = np.linalg.norm(model.decode(np.zeros(CODE), level=2) - truth, axis=1).mean()
    assert np.linalg.norm(back - truth, axis=1).mean() < 0.2 * start


@pytest.mark.parametrize(
    "sizes", [{"hidden": 10**9}, {"channels": 4000, "hidden": 4000}, {"code": -1}, {"code": "six"}]
)
def test_sizes_that_are_not_the_weights_are_refused_before_memory_is_taken(model, tmp_path, sizes):
    model.save(tmp_path)
    text = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(text | {"sizes": text["sizes"] | sizes}))
    with pytest.raises(CheckpointError, match=r"weights\.safetensors"):
        load_model(tmp_path)
