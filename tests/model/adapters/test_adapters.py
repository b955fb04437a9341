"""Other people's models: read as their own arithmetic says, carried onto the template, refused where unsafe."""

import numpy as np
import pytest
import torch

from facecom.errors import CheckpointError
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.io.files import write_mesh
from facecom.model.adapters.facecom_files import FaceComSource, convert_facecom
from facecom.model.adapters.linear_files import read_ict_facekit, read_linear
from facecom.model.adapters.source import LinearSource, mean_mesh
from facecom.model.adapters.transferred import transfer
from facecom.model.checkpoint import load_model
from facecom.model.template import Template

WIDE, NARROW, Z = (3, 4, 5, 7), (3, 2, 3, 4), 6


# ---- linear files ----


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "mean": rng.normal(size=(5, 3)),
        "faces": np.array([[0, 1, 2], [2, 3, 4]]),
        "basis": rng.normal(size=(2, 5, 3)),
    }


@pytest.mark.parametrize("form", ["M,N,3", "N,3,M", "3N,M", "flat mean"])
def test_a_basis_of_any_usual_shape_gives_the_same_model(arrays, tmp_path, form):
    basis = arrays["basis"]
    stored = {"N,3,M": np.moveaxis(basis, 0, 2), "3N,M": basis.reshape(2, -1).T}.get(form, basis)
    mean = arrays["mean"].ravel() if form == "flat mean" else arrays["mean"]
    np.savez(tmp_path / "m.npz", v_template=mean, shapedirs=stored, f=arrays["faces"].astype(np.uint32), sd=[2.0, 3.0])
    source = read_linear(tmp_path / "m.npz", mm_per_unit=1000.0)
    expected = 1000 * (arrays["mean"] + 2.0 * 0.5 * basis[0] - 3.0 * basis[1])
    np.testing.assert_allclose(source.decode(np.array([0.5, -1.0])), expected)
    assert read_linear(tmp_path / "m.npz", modes=1).code_size == 1


def test_safetensors_and_quads_are_read(arrays, tmp_path):
    from safetensors.numpy import save_file

    quads = np.array([[0, 1, 2, 3]])
    save_file({"mean": arrays["mean"], "basis": arrays["basis"], "quads": quads}, tmp_path / "m.safetensors")
    source = read_linear(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(source.triangles, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(source.mean, arrays["mean"])
    both = {"mean": arrays["mean"], "basis": arrays["basis"], "quads": quads, "triangles": np.array([[2, 3, 4]])}
    save_file(both, tmp_path / "both.safetensors")
    np.testing.assert_array_equal(
        read_linear(tmp_path / "both.safetensors").triangles, [[2, 3, 4], [0, 1, 2], [0, 2, 3]]
    )


def test_flames_names_in_safetensors_are_read_in_metres(arrays, tmp_path):
    from safetensors.numpy import save_file

    basis = np.ascontiguousarray(np.moveaxis(arrays["basis"], 0, 2))
    save_file({"v_template": arrays["mean"], "shapedirs": basis, "f": arrays["faces"]}, tmp_path / "f.safetensors")
    source = read_linear(tmp_path / "f.safetensors", mm_per_unit=1000.0)
    np.testing.assert_allclose(source.decode(np.array([0.0, 1.0])), 1000.0 * (arrays["mean"] + arrays["basis"][1]))
    np.testing.assert_array_equal(source.triangles, arrays["faces"])


def test_an_npz_of_ict_is_read_as_it_is_with_its_credit(arrays, tmp_path):
    quads = np.array([[0, 1, 2, 3]])
    np.savez(tmp_path / "ict.npz", neutral=arrays["mean"], identity=arrays["basis"], quads=quads)
    source = read_ict_facekit(tmp_path / "ict.npz", modes=1)
    assert source.code_size == 1
    assert "ICT-FaceKit" in source.credit
    np.testing.assert_allclose(source.decode(np.array([2.0])), arrays["mean"] + 2.0 * arrays["basis"][0])


def test_what_is_unsafe_damaged_or_something_else_is_refused(arrays, tmp_path):
    def refused(name, reason):
        with pytest.raises(CheckpointError, match=reason) as caught:
            read_linear(tmp_path / name)
        assert name in str(caught.value)

    (tmp_path / "flame.pkl").write_bytes(b"\x80\x04N.")
    refused("flame.pkl", "numpy.savez")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    refused("cut.npz", "not an npz")
    (tmp_path / "cut.safetensors").write_bytes(b"1234")
    refused("cut.safetensors", "damaged")
    refused("none.npz", "cannot be read")
    np.savez(tmp_path / "objects.npz", mean=np.array([{}], dtype=object))
    refused("objects.npz", "plain arrays|none of")
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    refused("other.npz", "something")
    np.savez(tmp_path / "shape.npz", **arrays | {"basis": np.zeros((4, 4))})
    refused("shape.npz", "does not fit 5 vertices")
    np.savez(tmp_path / "sigma.npz", **arrays, sigma=np.ones(3))
    refused("sigma.npz", "3 standard deviations")
    np.savez(tmp_path / "faces.npz", **arrays | {"faces": np.array([[0, 1, 9]])})
    refused("faces.npz", "beyond")


def test_an_ict_checkout_is_read_in_millimetres_and_in_its_own_order(tmp_path):
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    text = "v {0} 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 1\nf 1/1/1 2/2/1 3/1/1 4/2/1\n"
    (folder / "generic_neutral_mesh.obj").write_text(text.format(0))
    (folder / "identity000.obj").write_text(text.format(0.5))
    (folder / "identity001.obj").write_text(text.format(-1))
    source = read_ict_facekit(tmp_path)
    assert source.code_size == 2
    np.testing.assert_allclose(source.decode(np.array([2.0, 1.0]))[:2], [[0, 0, 0], [10, 0, 0]])
    np.testing.assert_allclose(source.modes[:, 0, 0], [5.0, -10.0])
    np.testing.assert_array_equal(source.triangles, [[0, 1, 2], [0, 2, 3]])
    (folder / "identity001.obj").write_text("v 0 0 0\n")
    with pytest.raises(CheckpointError, match=r"identity001.obj: has 1"):
        read_ict_facekit(tmp_path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_ict_facekit(tmp_path / "elsewhere")


# ---- onto the template ----


@pytest.fixture(scope="module")
def carried():
    """The template's own level 1 in another frame and unit as the foreign model, with smooth modes."""
    template = Template.load()
    level = template.mesh(1)
    pose = Similarity(rotation_from_vector([0.3, -0.2, 0.5]), np.array([5.0, 1.0, 2.0]), 10.0)
    to_source = pose.inverse()
    modes = np.stack([np.ones_like(level.vertices), np.outer(level.vertices[:, 1], [0.0, 0.0, 0.001])])
    source = LinearSource(to_source.apply(level.vertices), level.faces, modes, "test")
    return template, source, pose, transfer(source, template, to_source.apply(template.vertices), pose=pose)


def test_a_carried_model_moves_as_its_source_does(carried):
    template, source, pose, model = carried
    for code in np.random.default_rng(0).normal(size=(2, 2)):
        expected = pose.apply(source.decode(code))
        np.testing.assert_allclose(model.decode(code, level=1), expected, atol=1e-3)
        shift = model.decode(code, level=3) - template.vertices
        plain = pose.scale * pose.rotate(
            code[0] * np.ones(3) + np.outer(template.vertices[:, 1] * code[1], [0, 0, 0.001])
        )
        assert np.abs(shift - plain).max() < 0.05 * np.abs(plain).max()


def test_the_derivative_of_a_carried_model_is_what_decode_does(carried):
    model, code = carried[3], np.array([0.4, -0.3])
    for level in (0, 2):
        jacobian = model.jacobian(code, level=level)
        for entry, step in enumerate(np.eye(2)):
            difference = (model.decode(code + step, level=level) - model.decode(code - step, level=level)) / 2
            np.testing.assert_allclose(jacobian[:, entry].reshape(-1, 3), difference, atol=1e-9)
    np.testing.assert_allclose(model.decode(0 * code), model.template.vertices)


def test_a_carried_model_is_kept_and_read_back(carried, tmp_path):
    model, code = carried[3], np.array([0.4, -0.3])
    model.save(tmp_path)
    back = load_model(tmp_path)
    np.testing.assert_array_equal(back.decode(code), model.decode(code))
    assert back.description == model.description
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: damaged or truncated"):
        load_model(tmp_path)


def test_a_source_is_written_as_it_is_read(carried, tmp_path):
    source = carried[1]
    source.save(tmp_path)
    np.testing.assert_array_equal(read_linear(tmp_path / "model.npz").modes, source.modes)


def test_what_does_not_fit_is_refused(carried):
    template, source, pose, model = carried
    with pytest.raises(ValueError, match="registered"):
        transfer(source, template, source.mean, pose=pose)
    with pytest.raises(ValueError, match="entries"):
        model.decode(np.zeros(3))
    with pytest.raises(ValueError, match="level"):
        model.jacobian(np.zeros(2), level=3)


# ---- FaceCom ----


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
