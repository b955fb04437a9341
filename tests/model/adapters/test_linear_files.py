"""Linear models of other people: read as their own arithmetic says, refused where unsafe."""

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.model.adapters.linear_files import read_ict_facekit, read_linear


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
