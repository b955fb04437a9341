"""What tests of face models share: one small model of every kind."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from facecom.geometry.transform import Similarity
from facecom.model.adapters.facecom_files import FaceComSource
from facecom.model.adapters.facecom_network import FaceComDecoder
from facecom.model.adapters.source import LinearSource
from facecom.model.adapters.transferred import TransferredGenerator, transfer
from facecom.model.linear.expressive import ExpressiveGenerator
from facecom.model.linear.generator import LinearGenerator
from facecom.model.network.generator import FaceGenerator
from facecom.model.network.layers import neighbour_average, sparse_tensor
from facecom.model.network.mesh_network import Sizes
from facecom.model.protocol import FaceModel
from facecom.model.template import COARSEST_LEVEL, FIT_LEVEL, SHAPE_LEVEL, Template

CODE = 12


def network(modes: np.ndarray) -> FaceGenerator:
    """The modes as trunk, and a network that bends them a little."""
    torch.manual_seed(0)
    made = FaceGenerator(LinearGenerator.load().template, modes, sizes=Sizes(CODE, 8, 4, 3))
    for last in (made.move_coarse, made.move_fine):
        torch.nn.init.normal_(last.weight, std=0.02)
    return made.eval()


def transferred(modes: np.ndarray) -> TransferredGenerator:
    """The same modes in the topology of level 1, as somebody else's model."""
    template = LinearGenerator.load().template
    count = template.counts[FIT_LEVEL]
    source = LinearSource(template.vertices[:count], template.faces[FIT_LEVEL], modes[:, :count], "test")
    return transfer(source, template, template.vertices, pose=Similarity())


def facecom_like(modes: np.ndarray) -> TransferredGenerator:
    """FaceCom's decoder on levels 1 and 0, its local branch a single layer that holds the modes."""
    template = LinearGenerator.load().template
    count = template.counts[FIT_LEVEL]
    around = sparse_tensor(0.5 * neighbour_average(template.faces[FIT_LEVEL], count) + 0.5 * sp.identity(count))
    up = sparse_tensor(template.prolongation(COARSEST_LEVEL))
    decoder = FaceComDecoder(CODE, [3, 4], [3, 3], around=[around], ups=[up])
    with torch.no_grad():
        for weight in decoder.parameters():
            weight.zero_()
        decoder.decoder_lin.weight[4:] = torch.eye(CODE) * np.sqrt(CODE)
        held = torch.tensor(modes[:, :count].reshape(CODE, -1).T / 0.99, dtype=torch.float32)
        decoder.decoder_local_lin.weight.copy_(held)
        decoder.decoder_convs_local[0].lin.weight.copy_(torch.eye(3))
    places = template.vertices[:count]
    source = FaceComSource(decoder, template.faces[FIT_LEVEL], places, np.ones_like(places))
    return transfer(source, template, template.vertices, pose=Similarity())


def expressive(modes: np.ndarray) -> ExpressiveGenerator:
    """The network with expressions beside it."""
    return ExpressiveGenerator(network(modes))


KINDS = {"network": network, "transferred": transferred, "facecom": facecom_like, "expressive": expressive}


@pytest.fixture(scope="session")
def small_model() -> Callable[[str], FaceModel]:
    """Factory of models with the shipped one's twelve leading modes: network, transferred, facecom, expressive."""

    def make(kind: str) -> FaceModel:
        return KINDS[kind](LinearGenerator.load().modes[:CODE])

    return make


@pytest.fixture(scope="session")
def template() -> Template:
    """The shipped template."""
    return Template.load()


@pytest.fixture(scope="session")
def curved_faces(template: Template) -> np.ndarray:
    """Faces on a parabola in the plane of two modes: one number, which no straight line follows."""
    modes = LinearGenerator.load().modes[:2].astype(float)
    t = np.linspace(-1.5, 1.5, 24)
    codes = np.stack([2 * t, t**2 - 0.75], axis=1)
    return (template.vertices[: template.counts[SHAPE_LEVEL]] + np.tensordot(codes, modes, axes=1)).astype(np.float32)
