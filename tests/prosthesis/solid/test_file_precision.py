"""Closed surfaces stay closed in files of float32."""

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.prosthesis.checks.part_check import as_written, is_watertight, signed_volume
from facecom.prosthesis.solid.file_precision import joined_in_float32

AWAY = np.array([310.0, -120.0, 900.0])
"""Where a part may lie: there numbers of a float32 are up to 6e-5 mm apart."""


@pytest.fixture
def ball(icosphere) -> Mesh:
    made = icosphere(3, radius=7.0)
    return made.with_vertices(made.vertices + AWAY)


def moved(mesh: Mesh, vertex: int, onto: int) -> Mesh:
    """A vertex brought to within less than float32 resolves of another."""
    vertices = mesh.vertices.copy()
    vertices[vertex] = vertices[onto] + 1e-7
    return mesh.with_vertices(vertices)


def opposite(mesh: Mesh) -> tuple[int, int]:
    """Two vertices across one edge of each other."""
    edge = set(mesh.faces[0, :2].tolist())
    first, second = (set(face.tolist()) - edge for face in mesh.faces if edge <= set(face.tolist()))
    return first.pop(), second.pop()


@pytest.mark.parametrize("ends", [lambda mesh: mesh.faces[40, :2], opposite])
def test_neighbours_and_vertices_across_an_edge_are_joined(ball, ends):
    vertex, onto = ends(ball)
    part = moved(ball, vertex, onto)
    assert is_watertight(part) and not is_watertight(as_written(part))
    joined, kept = joined_in_float32(part)
    assert is_watertight(joined) and is_watertight(as_written(joined))
    assert signed_volume(joined) == pytest.approx(signed_volume(part), abs=1e-3)
    assert np.array_equal(joined.vertices, part.vertices[kept])
    assert len(as_written(joined).faces) == len(joined.faces) == len(part.faces) - 2


def test_what_float32_tells_apart_is_left_as_it_was(ball):
    joined, kept = joined_in_float32(ball)
    assert np.array_equal(kept, np.arange(len(ball.vertices)))
    assert np.array_equal(joined.faces, ball.faces) and np.array_equal(joined.vertices, ball.vertices)
