"""Training is deterministic, goes on after a kill as if nothing had happened, and learns what a linear model cannot."""

import numpy as np
import pytest
import torch

from facecom.__main__ import main
from facecom.commands.training import on_template
from facecom.errors import CheckpointError
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import rotation_from_vector
from facecom.io.files import write_mesh
from facecom.model.adapters.registered_faces import procrustes_aligned
from facecom.model.augmentation import augmented_faces
from facecom.model.linear.generator import LinearGenerator
from facecom.model.network.generator import FaceGenerator
from facecom.model.network.mesh_network import Sizes
from facecom.model.network.training import TrainSettings, iterate_training, principal_modes, train
from facecom.model.sampling import sample_codes
from facecom.model.template import Template

SMALL = TrainSettings(sizes=Sizes(code=2, hidden=8, channels=3, fine_channels=2), epochs=3, batch=8, rate=1e-2)


@pytest.fixture(scope="module")
def template():
    return Template.load()


@pytest.fixture(scope="module")
def curved(template):
    """Faces on a parabola in the plane of two modes: one number, which no straight line follows."""
    modes = LinearGenerator.load().modes[:2].astype(float)
    t = np.linspace(-1.5, 1.5, 24)
    codes = np.stack([2 * t, t**2 - 0.75], axis=1)
    return (template.vertices[: template.counts[2]] + np.tensordot(codes, modes, axes=1)).astype(np.float32)


@pytest.fixture(scope="module")
def unbroken(curved, template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, train(curved, template, folder, settings=SMALL)


@pytest.mark.slow
def test_training_twice_gives_the_same_bytes(curved, template, unbroken, tmp_path):
    train(curved, template, tmp_path, settings=SMALL)
    name = "weights.safetensors"
    assert (tmp_path / name).read_bytes() == (unbroken[0] / name).read_bytes()


@pytest.mark.slow
def test_a_killed_run_ends_where_an_unbroken_one_does(curved, template, unbroken, tmp_path):
    run = iterate_training(curved, template, tmp_path, settings=SMALL)
    next(run)
    run.close()
    (tmp_path / "state.partial").mkdir()  # what a kill while writing leaves
    states = list(iterate_training(curved, template, tmp_path, settings=SMALL))
    assert [s.epoch for s in states] == [1, 2]
    name = "weights.safetensors"
    assert (tmp_path / name).read_bytes() == (unbroken[0] / name).read_bytes()


@pytest.mark.slow
def test_a_state_of_another_run_is_refused_and_fresh_begins_anew(curved, template, unbroken, tmp_path):
    next(iterate_training(curved, template, tmp_path, settings=SMALL))
    with pytest.raises(CheckpointError, match="other settings"):
        next(iterate_training(curved + 1.0, template, tmp_path, settings=SMALL))
    assert next(iterate_training(curved + 1.0, template, tmp_path, settings=SMALL, resume=False)).epoch == 0


@pytest.mark.slow
def test_the_log_is_one_that_tensorboard_reads(unbroken):
    files = [p.name for p in (unbroken[0] / "log").iterdir()]
    assert any(name.startswith("events.out.tfevents") for name in files)


@pytest.mark.slow
def test_codes_of_the_training_faces_are_standard(curved, unbroken):
    codes = np.stack([unbroken[1].encode_feed_forward(face) for face in curved])
    np.testing.assert_allclose(codes.mean(0), 0.0, atol=1e-2)
    np.testing.assert_allclose(np.cov(codes.T), np.eye(2), atol=2e-2)


@pytest.mark.slow
def test_a_trained_network_bends_where_a_line_cannot(curved, template, tmp_path):
    settings = TrainSettings(sizes=Sizes(1, 16, 4, 2), epochs=40, batch=12, rate=1e-2, prior_weight=1e-3)
    model = train(curved, template, tmp_path, settings=settings)
    mean = curved.mean(0)
    mode = principal_modes(curved, mean, count=1).reshape(1, -1).astype(float)
    offset = (curved - mean).reshape(len(curved), -1)
    line = np.abs(offset - (offset @ mode.T) @ mode / (mode**2).sum()).mean()
    bent = np.abs(np.stack([model.decode(model.encode_feed_forward(f), level=2) for f in curved]) - curved).mean()
    assert bent < 0.9 * line


def test_principal_modes_hold_the_variance_of_the_faces(curved):
    modes = principal_modes(curved, curved.mean(0), count=2)
    np.testing.assert_allclose((modes**2).sum(), curved.var(axis=0, dtype=float).sum(), rtol=1e-4)
    with pytest.raises(ValueError, match="more than"):
        principal_modes(curved, curved.mean(0), count=24)
    with pytest.raises(ValueError, match="directions"):
        principal_modes(np.repeat(curved[:2], 5, axis=0), curved.mean(0), count=4)


def test_mixed_faces_depend_on_the_seed_and_leave_the_span_of_the_model(template):
    model = LinearGenerator.load()
    faces = augmented_faces(model, 3, seed=1)
    np.testing.assert_array_equal(faces, augmented_faces(model, 3, seed=1))
    flat = model.modes.reshape(len(model.modes), -1).astype(float)
    offset = (faces - template.vertices[: faces.shape[1]]).reshape(3, -1).T
    left = offset - flat.T @ np.linalg.solve(flat @ flat.T, flat @ offset)
    assert 0.05 < np.sqrt((left**2).mean()) < 2.0
    assert model.decode(sample_codes(model, 1, seed=0)[0], level=2).shape == faces[0].shape


def test_faces_that_are_not_on_the_template_are_refused(template, tmp_path):
    with pytest.raises(ValueError, match="register"):
        train(np.zeros((3, 100, 3)), template, tmp_path)
    with pytest.raises(ValueError, match="finite"):
        train(np.full((3, template.counts[2], 3), np.nan), template, tmp_path)


@pytest.mark.slow
def test_the_command_trains_on_a_folder_of_meshes(curved, template, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    for k, face in enumerate(curved[::4]):
        write_mesh(tmp_path / "data" / f"{k}.ply", Mesh(face, template.faces[2]))
    arguments = ["train", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--code", "2", "--epochs", "1"]
    assert main(arguments) == 0
    assert FaceGenerator.load(tmp_path / "out").code_size == 2
    write_mesh(tmp_path / "data" / "z.ply", Mesh(template.vertices, template.faces[3]))
    assert main(arguments) == 2
    assert "z.ply has other triangles" in capsys.readouterr().err


@pytest.mark.slow
def test_faces_of_another_topology_come_onto_the_template(curved, template):
    """Level 1 in another order, unit and pose: a user's own registered faces."""
    count = template.counts[1]
    own = np.random.default_rng(0).permutation(count)
    triangles = np.argsort(own)[template.faces[1]]
    turns = [rotation_from_vector([0.1 * k, 0.2, 0.0]) for k in range(4)]
    faces = np.stack([(face[own] @ turn.T + 7.0) / 10.0 for face, turn in zip(curved, turns, strict=False)])
    found = on_template(faces.astype(np.float32), triangles, template)
    assert found.shape == (4, template.counts[2], 3)
    proper = np.linalg.norm(template.vertices[:count], axis=1) < 80.0
    wanted, got = procrustes_aligned(curved[:4, :count]), procrustes_aligned(found[:, :count])
    normals = vertex_normals(wanted.mean(axis=0), template.faces[1])[proper]
    moved, kept = (np.einsum("kvd,vd->kv", (f - f.mean(axis=0))[:, proper], normals) for f in (wanted, got))
    assert np.abs(moved).mean() > 0.2
    assert np.abs(kept - moved).mean() < 0.1 * np.abs(moved).mean()


@pytest.fixture
def group(tmp_path):
    """A group of one process, as a launcher makes one of several."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="torch without gloo")
def test_several_processes_can_share_the_training(curved, template, group):
    model = FaceGenerator(template, LinearGenerator.load().modes[:2], sizes=SMALL.sizes)
    shared = torch.nn.parallel.DistributedDataParallel(model)
    found, raw = shared(torch.from_numpy(curved[:2]))
    (found.mean() + raw.mean()).backward()
    assert all(weight.grad is not None for weight in model.parameters())
