"""Training is deterministic, goes on after a kill as if nothing had happened, and learns what a linear model cannot."""

import json

import numpy as np
import pytest
import torch

from facecom.__main__ import main
from facecom.errors import CheckpointError
from facecom.geometry.mesh import Mesh
from facecom.io.files import write_mesh
from facecom.model.linear.generator import LinearGenerator
from facecom.model.network.generator import FaceGenerator
from facecom.model.network.mesh_network import Sizes
from facecom.model.network.training import TrainSettings, iterate_training, train
from facecom.model.principal_modes import principal_modes

SMALL = TrainSettings(sizes=Sizes(code=2, hidden=8, channels=3, fine_channels=2), epochs=3, batch=8, rate=1e-2)


@pytest.fixture(scope="module")
def unbroken(curved_faces, template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, train(curved_faces, template, folder, settings=SMALL)


@pytest.mark.slow
def test_training_twice_gives_the_same_bytes(curved_faces, template, unbroken, tmp_path):
    train(curved_faces, template, tmp_path, settings=SMALL)
    name = "weights.safetensors"
    assert (tmp_path / name).read_bytes() == (unbroken[0] / name).read_bytes()


@pytest.mark.slow
def test_a_killed_run_ends_where_an_unbroken_one_does(curved_faces, template, unbroken, tmp_path):
    run = iterate_training(curved_faces, template, tmp_path, settings=SMALL)
    next(run)
    run.close()
    (tmp_path / "state.partial").mkdir()  # what a kill while writing leaves
    states = list(iterate_training(curved_faces, template, tmp_path, settings=SMALL))
    assert [s.epoch for s in states] == [1, 2]
    name = "weights.safetensors"
    assert (tmp_path / name).read_bytes() == (unbroken[0] / name).read_bytes()


@pytest.mark.slow
def test_a_state_of_another_run_is_refused_and_fresh_begins_anew(curved_faces, template, unbroken, tmp_path):
    next(iterate_training(curved_faces, template, tmp_path, settings=SMALL))
    with pytest.raises(CheckpointError, match="other settings"):
        next(iterate_training(curved_faces + 1.0, template, tmp_path, settings=SMALL))
    assert next(iterate_training(curved_faces + 1.0, template, tmp_path, settings=SMALL, resume=False)).epoch == 0


@pytest.mark.slow
def test_a_state_that_lacks_an_entry_is_refused(curved_faces, template, tmp_path):
    next(iterate_training(curved_faces, template, tmp_path, settings=SMALL))
    path = tmp_path / "state_00000" / "model.json"
    text = json.loads(path.read_text())
    del text["processor"]
    path.write_text(json.dumps(text))
    with pytest.raises(CheckpointError, match="state_00000.*'processor'"):
        next(iterate_training(curved_faces, template, tmp_path, settings=SMALL))


@pytest.mark.slow
def test_the_log_is_one_that_tensorboard_reads(unbroken):
    files = [p.name for p in (unbroken[0] / "log").iterdir()]
    assert any(name.startswith("events.out.tfevents") for name in files)


@pytest.mark.slow
def test_codes_of_the_training_faces_are_standard(curved_faces, unbroken):
    codes = np.stack([unbroken[1].encode_feed_forward(face) for face in curved_faces])
    np.testing.assert_allclose(codes.mean(0), 0.0, atol=1e-2)
    np.testing.assert_allclose(np.cov(codes.T), np.eye(2), atol=2e-2)


@pytest.mark.slow
def test_a_trained_network_bends_where_a_line_cannot(curved_faces, template, tmp_path):
    settings = TrainSettings(sizes=Sizes(1, 16, 4, 2), epochs=40, batch=12, rate=1e-2, prior_weight=1e-3)
    model = train(curved_faces, template, tmp_path, settings=settings)
    mean = curved_faces.mean(0)
    mode = principal_modes(curved_faces, mean, count=1).reshape(1, -1).astype(float)
    offset = (curved_faces - mean).reshape(len(curved_faces), -1)
    line = np.abs(offset - (offset @ mode.T) @ mode / (mode**2).sum()).mean()
    found = np.stack([model.decode(model.encode_feed_forward(face), level=2) for face in curved_faces])
    bent = np.abs(found - curved_faces).mean()
    assert bent < 0.9 * line


def test_faces_that_are_not_on_the_template_are_refused(template, tmp_path):
    with pytest.raises(ValueError, match="register"):
        train(np.zeros((3, 100, 3)), template, tmp_path)
    with pytest.raises(ValueError, match="finite"):
        train(np.full((3, template.counts[2], 3), np.nan), template, tmp_path)


@pytest.mark.slow
def test_the_command_trains_on_a_folder_of_meshes(curved_faces, template, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    for k, face in enumerate(curved_faces[::4]):
        write_mesh(tmp_path / "data" / f"{k}.ply", Mesh(face, template.faces[2]))
    arguments = [
        "train",
        str(tmp_path / "data"),
        "--out",
        str(tmp_path / "out"),
        "--code",
        "2",
        "--epochs",
        "1",
        "--faces",
        "12",
    ]
    assert main(arguments) == 0
    assert FaceGenerator.load(tmp_path / "out").code_size == 2
    write_mesh(tmp_path / "data" / "z.ply", Mesh(template.vertices, template.faces[3]))
    assert main(arguments) == 2
    assert "z.ply has other triangles" in capsys.readouterr().err


@pytest.fixture
def group(tmp_path):
    """A group of one process, as a launcher makes one of several."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="torch without gloo")
def test_several_processes_can_share_the_training(curved_faces, template, group):
    model = FaceGenerator(template, LinearGenerator.load().modes[:2], sizes=SMALL.sizes)
    shared = torch.nn.parallel.DistributedDataParallel(model)
    found, raw = shared(torch.from_numpy(curved_faces[:2]))
    (found.mean() + raw.mean()).backward()
    assert all(weight.grad is not None for weight in model.parameters())
