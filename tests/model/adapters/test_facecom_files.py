"""FaceCom's own files against its published arithmetic, written out vertex by vertex."""

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from facecom.errors import CheckpointError
from facecom.geometry.mesh import Mesh
from facecom.io.files import write_mesh
from facecom.model.adapters.facecom_files import FaceComSource, convert_facecom
from facecom.model.adapters.source import mean_mesh

WIDE, NARROW, Z = (3, 4, 5, 7), (3, 2, 3, 4), 6


def leaky(x):
    return np.where(x > 0, x, 0.01 * x)


def feast(x, edges, state, name):
    """The convolution by its definition, vertex by vertex, with the softmax over heads written out."""
    lin, u, c, bias = (state[f"{name}.{part}"] for part in ("lin.weight", "u.weight", "c", "bias"))
    out = np.zeros((len(x), len(bias)))
    for i in range(len(x)):
        near = [i, *(j for j, k in edges.T if k == i and j != i)]
        for j in near:
            logits = u @ (x[j] - x[i]) + c
            share = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            out[i] += sum(q * (w @ x[j]) for q, w in zip(share, np.split(lin, len(c)), strict=True)) / len(near)
    return out + bias


def norm(x, state, name):
    parts = (state[f"{name}.module.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
    mean, variance, weight, bias = parts
    return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias


def reference(z, state, ups, edges):
    """FaceCom's decoder by its published description, slow and in float64."""
    x = state["decoder_lin.weight"] @ z + state["decoder_lin.bias"]
    whole = np.tile(x[: WIDE[-1]], (ups[-1].shape[1], 1))
    near = (state["decoder_local_lin.weight"] @ x[WIDE[-1] :] + state["decoder_local_lin.bias"]).reshape(-1, NARROW[-1])
    for k in range(3):
        whole = feast(ups[2 - k] @ whole, edges[2 - k], state, f"decoder_convs_global.{k}")
        near = feast(near, edges[0], state, f"decoder_convs_local.{k}")
        if k < 2:
            whole = leaky(norm(whole, state, f"decoder_bns_global.{k + 1}"))
            near = leaky(norm(near, state, f"decoder_bns_local.{k + 1}"))
    return 0.01 * whole + 0.99 * near


@pytest.fixture(scope="module", params=["any ways up", "ways up that keep constants"])
def published(request, tmp_path_factory, sheet):
    """Files as FaceCom's code writes them, of a tiny mesh and random weights, and what they hold."""
    folder, rng = tmp_path_factory.mktemp("facecom"), np.random.default_rng(3)
    mesh = sheet(4, 4)
    counts = (25, 12, 6, 3)
    ups = [rng.normal(size=counts[k : k + 2]) * 0.3 for k in range(3)]
    if "constants" in request.param:
        ups = [np.abs(up) / np.abs(up).sum(axis=1, keepdims=True) for up in ups]
    edges = []
    for count in counts[:3]:
        pairs = np.array([(i, (i + s) % count) for i in range(count) for s in (1, 2)]).T
        edges.append(np.unique(np.concatenate([pairs, pairs[::-1]], axis=1), axis=1))
    state = {}
    for branch, widths in (("global", WIDE), ("local", NARROW)):
        for k in range(3):
            name, (wide, narrow) = f"decoder_convs_{branch}.{k}", (widths[3 - k], widths[2 - k])
            state |= {f"{name}.lin.weight": (narrow, wide), f"{name}.u.weight": (1, wide), f"{name}.c": (1,)}
            state |= {f"{name}.bias": (narrow,)}
        for k, width in enumerate(reversed(widths)):
            state |= {f"decoder_bns_{branch}.{k}.module.{p}": (width,) for p in ("weight", "bias", "running_mean")}
            state |= {f"decoder_bns_{branch}.{k}.module.running_var": (width,)}
    state |= {"decoder_lin.weight": (Z + WIDE[-1], Z), "decoder_lin.bias": (Z + WIDE[-1],)}
    state |= {"decoder_local_lin.weight": (25 * NARROW[-1], Z), "decoder_local_lin.bias": (25 * NARROW[-1],)}
    values = {name: rng.normal(size=shape) for name, shape in sorted(state.items())}
    values = {name: np.abs(v) + 0.5 if "running_var" in name else v for name, v in values.items()}
    values = {name: v.astype(np.float32) for name, v in values.items()}
    tensors = {name: torch.tensor(v) for name, v in values.items()}
    for branch in ("global", "local"):
        tensors |= {f"decoder_bns_{branch}.{k}.module.num_batches_tracked": torch.tensor(1) for k in range(4)}
    torch.save(tensors, folder / "checkpoint_decoder.pt")
    mean, std = (torch.tensor(rng.normal(size=(25, 3)), dtype=torch.float32) for _ in range(2))
    torch.save({"mean": mean, "std": std}, folder / "norm.pt")
    write_mesh(folder / "template.ply", mesh)
    np.savez(
        folder / "levels.npz",
        **{f"up_{k}": u for k, u in enumerate(ups)},
        **{f"edges_{k}": e for k, e in enumerate(edges)},
    )

    def decode(z):
        return reference(z, {k: v.astype(float) for k, v in values.items()}, ups, edges) * std.numpy() + mean.numpy()

    return folder, decode


@pytest.fixture(scope="module")
def source(published):
    folder = published[0]
    files = [folder / name for name in ("checkpoint_decoder.pt", "norm.pt", "template.ply")]
    return convert_facecom(*files, levels=folder / "levels.npz")


def test_the_decoder_gives_what_its_published_arithmetic_gives(published, source):
    for z in np.random.default_rng(1).normal(size=(3, Z)) * 0.3:
        np.testing.assert_allclose(source.decode(z * np.sqrt(Z)), published[1](z), atol=1e-5)


def test_many_codes_at_once_are_each_alone(source):
    codes = np.random.default_rng(5).normal(size=(3, Z))
    np.testing.assert_allclose(source.decode(codes), [source.decode(code) for code in codes], atol=1e-5)


def test_a_converted_decoder_needs_the_originals_no_more(source, tmp_path):
    source.save(tmp_path)
    back, code = FaceComSource.load(tmp_path), np.random.default_rng(2).normal(size=Z)
    np.testing.assert_array_equal(back.decode(code), source.decode(code))
    np.testing.assert_array_equal(back.triangles, source.triangles)
    assert mean_mesh(back).vertices.shape == (25, 3)


def test_the_derivative_of_the_decoder_is_what_it_does(source):
    code, h = np.random.default_rng(4).normal(size=Z), 1e-2
    jacobian = source.jacobian(code)
    for entry, step in enumerate(h * np.eye(Z)):
        difference = (source.decode(code + step) - source.decode(code - step)) / (2 * h)
        np.testing.assert_allclose(jacobian[:, entry].reshape(-1, 3), difference, atol=2e-3 * np.abs(difference).max())


def test_files_that_hold_more_than_tensors_are_refused(published, tmp_path):
    folder = published[0]
    torch.save({"x": Mesh}, tmp_path / "evil.pt")
    (tmp_path / "cut.pt").write_bytes((folder / "norm.pt").read_bytes()[:100])
    rest = (folder / "norm.pt", folder / "template.ply")
    for name in ("evil.pt", "cut.pt", "none.pt"):
        with pytest.raises(CheckpointError, match=name):
            convert_facecom(tmp_path / name, *rest, levels=folder / "levels.npz")
    with pytest.raises(CheckpointError, match="not FaceCom"):
        convert_facecom(folder / "norm.pt", *rest, levels=folder / "levels.npz")


def with_arrays(folder, edit):
    """Change stored arrays, with the hash that they then ask for."""
    path = folder / "weights.safetensors"
    arrays = load(path.read_bytes())
    edit(arrays)
    data = save(arrays)
    path.write_bytes(data)
    text = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**text, "sha256": hashlib.sha256(data).hexdigest()}))


HOSTILE = {
    "index beyond": lambda a: a["up_0.index"].__setitem__((0, 0), 10**9),
    "index below": lambda a: a["around_1.index"].__setitem__((1, 0), -3),
    "huge level": lambda a: a["up_2.shape"].__setitem__(1, 10**12),
    "another level": lambda a: a["around_0.shape"].__setitem__(0, 10**12),
    "no level": lambda a: a.pop("up_1.index"),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_matrices_that_point_outside_are_refused(source, tmp_path, fault):
    source.save(tmp_path)
    with_arrays(tmp_path, HOSTILE[fault])
    with pytest.raises(CheckpointError, match=r"weights\.safetensors"):
        FaceComSource.load(tmp_path)


@pytest.mark.parametrize("change", [{"code": 10**9}, {"wide": [3, 10**7, 5, 7]}, {"narrow": [3, 2]}, {"wide": "abcd"}])
def test_sizes_that_are_not_the_weights_are_refused_before_memory_is_taken(source, tmp_path, change):
    source.save(tmp_path)
    text = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(text | change))
    with pytest.raises(CheckpointError, match=r"weights\.safetensors"):
        FaceComSource.load(tmp_path)
