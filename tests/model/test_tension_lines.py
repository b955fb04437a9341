"""Tension lines from expressions: across the squeeze, alike on both sides, and where anatomy has them."""

from __future__ import annotations

import numpy as np
import pytest

from facecom.geometry.mesh import vertex_normals
from facecom.model.expressions import ExpressionBasis
from facecom.model.template import FIT_LEVEL, Template
from facecom.model.tension_lines import compression_tensor


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.load()


@pytest.fixture(scope="module")
def shipped(template) -> np.ndarray:
    return compression_tensor(template)


def lines_at(template: Template, tensor: np.ndarray, place: tuple[float, float, float]) -> np.ndarray:
    """Unit direction of the wrinkles at the vertex of the mean face nearest to a place, up or leftwards positive."""
    k = np.argmin(np.linalg.norm(template.vertices - place, axis=1))
    across = np.linalg.eigh(tensor[k])[1][:, 2]
    line = np.cross(vertex_normals(template.vertices, template.faces[3])[k], across)
    return line / np.linalg.norm(line)


def test_it_is_symmetric_and_lies_in_the_skin(template, shipped):
    flip = np.array([-1.0, 1.0, 1.0])
    assert np.allclose(shipped[template.mirror], flip[:, None] * shipped * flip, atol=1e-9)
    assert np.allclose(np.trace(shipped, axis1=1, axis2=2), 1.0)
    count = template.counts[FIT_LEVEL]
    normals = vertex_normals(template.vertices[:count], template.faces[FIT_LEVEL])
    assert np.abs(np.einsum("vij,vj->vi", shipped[:count], normals)).max() < 1e-9


def test_a_forehead_wrinkles_level_lips_upright_and_an_eye_corner_outwards(template, shipped):
    assert abs(lines_at(template, shipped, (0, 70, -20))[0]) > 0.95
    lip = template.vertices[template.region_mask("l_lip")].mean(axis=0)
    assert abs(lines_at(template, shipped, tuple(lip))[0]) < 0.3
    corner = template.vertices[template.landmark_index("left_exocanthion")]
    out = np.array([12.0, 0.0, -8.0])
    away = out / np.linalg.norm(out)
    assert abs(lines_at(template, shipped, tuple(corner + out)) @ away) > 0.8


def test_wrinkles_run_across_the_squeeze(template):
    rest = template.vertices[: template.counts[FIT_LEVEL]]
    flat = np.array([0.0, -0.2, 0.0])  # shrinks the face in height alone
    made = compression_tensor(template, ExpressionBasis(("flatten",), (rest * flat)[None]))
    assert abs(lines_at(template, made, (0, 70, -20))[0]) > 0.99
