"""Every kind of face model takes the shipped one's place in `complete`: networks, and other people's models carried."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from facecom.completion import CompletionSettings, complete
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.adapters.facecom_files import FaceComSource
from facecom.model.adapters.facecom_network import FaceComDecoder
from facecom.model.adapters.source import LinearSource
from facecom.model.adapters.transferred import transfer
from facecom.model.linear.expressive import ExpressiveGenerator
from facecom.model.linear.generator import LinearGenerator
from facecom.model.network.generator import FaceGenerator
from facecom.model.network.layers import neighbour_average, sparse
from facecom.model.network.mesh_network import Sizes

CODE = 12
POSE = Similarity(rotation_from_vector([0.1, 0.2, 0.0]), np.array([10.0, 20.0, 30.0]))


@pytest.fixture(scope="module")
def modes():
    return LinearGenerator.load().modes[:CODE]


@pytest.fixture(scope="module")
def scanned(modes):
    """A face of twelve modes on level 1 in another pose, whole and without its nose."""
    template = LinearGenerator.load().template
    code = np.random.default_rng(0).normal(size=CODE)
    count = template.counts[1]
    whole = template.vertices[:count] + np.tensordot(code, modes[:, :count], axes=1)
    faces, nose = template.faces[1], np.linalg.norm(template.vertices[:count], axis=1) < 25.0
    return POSE.apply(whole), Mesh(POSE.apply(whole), faces[~nose[faces].any(axis=1)]), nose


def network(modes):
    """The modes as trunk, and a network that bends them a little."""
    torch.manual_seed(0)
    made = FaceGenerator(LinearGenerator.load().template, modes, sizes=Sizes(CODE, 8, 4, 3))
    for last in (made.move_coarse, made.move_fine):
        torch.nn.init.normal_(last.weight, std=0.02)
    return made.eval()


def carried(modes):
    """The same modes in the topology of level 1, as somebody else's model."""
    template = LinearGenerator.load().template
    count = template.counts[1]
    source = LinearSource(template.vertices[:count], template.faces[1], modes[:, :count], "test")
    return transfer(source, template, template.vertices, pose=Similarity())


def facecom_like(modes):
    """FaceCom's decoder on levels 1 and 0, its local branch a single layer that holds the modes."""
    template = LinearGenerator.load().template
    count = template.counts[1]
    around = sparse(0.5 * neighbour_average(template.faces[1], count) + 0.5 * sp.identity(count))
    decoder = FaceComDecoder(CODE, [3, 4], [3, 3], around=[around], ups=[sparse(template.prolongation(0))])
    with torch.no_grad():
        for weight in decoder.parameters():
            weight.zero_()
        decoder.decoder_lin.weight[4:] = torch.eye(CODE) * np.sqrt(CODE)
        held = torch.tensor(modes[:, :count].reshape(CODE, -1).T / 0.99, dtype=torch.float32)
        decoder.decoder_local_lin.weight.copy_(held)
        decoder.decoder_convs_local[0].lin.weight.copy_(torch.eye(3))
    places = template.vertices[:count]
    source = FaceComSource(decoder, template.faces[1], places, np.ones_like(places))
    return transfer(source, template, template.vertices, pose=Similarity())


def expressive(modes):
    """The network with expressions beside it."""
    return ExpressiveGenerator(network(modes))


@pytest.mark.parametrize("make", [network, carried, facecom_like, expressive])
def test_complete_takes_any_model(make, modes, scanned):
    whole, scan, nose = scanned
    model = make(modes)
    done = complete(scan, unit="mm", model=model, settings=CompletionSettings())
    found = done.face.vertices[: len(whole)]
    error = np.linalg.norm(found - whole, axis=1)
    mean = POSE.apply(model.template.vertices[: len(whole)])
    assert error[nose].mean() < min(1.0, 0.5 * np.linalg.norm(mean - whole, axis=1)[nose].mean())


def test_a_partial_scan_with_a_smile_is_completed_and_relaxed(modes):
    """From a scan that smiles and lacks its nose to the same person at rest, nose and all."""
    whole = LinearGenerator.load()
    parts = {"modes": modes, "mode_odd": whole.mode_odd[:CODE], "fields": whole.fields[:1]}
    model = ExpressiveGenerator(LinearGenerator(whole.template, field_odd=whole.field_odd[:1], description={}, **parts))
    person = np.random.default_rng(2).normal(size=model.person.code_size)
    code = model.code_of(person, {"mouthSmile_L": 0.6, "mouthSmile_R": 0.6, "jawOpen": 0.2})
    smiling, rest = model.decode(code, level=1), model.person.decode(person, level=1)
    faces, nose = model.faces(1), np.linalg.norm(rest, axis=1) < 25.0
    done = complete(Mesh(POSE.apply(smiling), faces[~nose[faces].any(axis=1)]), unit="mm", model=model)
    fitted = done.context.fit
    relaxed = fitted.pose.inverse().apply(model.decode(model.relaxed(fitted.code), level=1))
    away = np.linalg.norm(smiling - rest, axis=1)
    left = np.linalg.norm(relaxed - POSE.apply(rest), axis=1)
    assert left[away > 2.0].mean() < 0.4 * away[away > 2.0].mean()
    assert left[nose].mean() < 1.5
    assert model.weights(fitted.code)["mouthSmile_L"] > 0.3
