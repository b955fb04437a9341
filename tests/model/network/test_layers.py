"""Layers on meshes, against loops over vertices and against automatic differentiation."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from facecom.model.network.layers import MeshConv, elu_with_tangent, neighbour_average, sparse_product, sparse_tensor

FACES = np.array([[0, 1, 2], [0, 2, 3], [2, 4, 3]])
NEIGHBOURS = ([1, 2, 3], [0, 2], [0, 1, 3, 4], [0, 2, 4], [2, 3])


@pytest.fixture
def features():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32))


def test_the_average_is_that_of_the_neighbours_and_keeps_constants(features):
    average = neighbour_average(FACES, 5)
    found = sparse_product(sparse_tensor(average), features).numpy()
    expected = np.stack([features.numpy()[list(near)].mean(axis=0) for near in NEIGHBOURS])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(average @ np.ones(5), 1.0)


def test_a_vertex_without_neighbours_has_an_average_of_zero():
    np.testing.assert_array_equal(neighbour_average(FACES, 6).toarray()[5], np.zeros(6))


def test_a_sparse_tensor_holds_the_matrix():
    matrix = sp.random(6, 4, density=0.4, random_state=0)
    np.testing.assert_allclose(sparse_tensor(matrix).to_dense().numpy(), matrix.toarray(), atol=1e-7)


def test_the_tangent_of_the_activation_is_that_of_automatic_differentiation(features):
    tangent = torch.flip(features, dims=(0,))
    value, found = elu_with_tangent(features, tangent)
    expected = torch.autograd.functional.jvp(torch.nn.functional.elu, features, tangent)
    np.testing.assert_allclose(value.numpy(), expected[0].numpy(), atol=1e-6)
    np.testing.assert_allclose(found.numpy(), expected[1].numpy(), atol=1e-6)
    assert elu_with_tangent(features)[1] is None


def test_a_convolution_is_linear_up_to_its_bias_and_may_give_the_first_vertices_alone(features):
    torch.manual_seed(0)
    layer, average = MeshConv(3, 4), neighbour_average(FACES, 5)
    with torch.no_grad():
        whole = layer(features, sparse_tensor(average))
        difference = whole - layer(torch.zeros_like(features), sparse_tensor(average))
        np.testing.assert_allclose(layer.linear(features, sparse_tensor(average)), difference, atol=1e-5)
        np.testing.assert_allclose(layer(features, sparse_tensor(average[:2])), whole[:2], atol=1e-6)
