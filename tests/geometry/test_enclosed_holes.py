"""Holes are told from the outside."""

from __future__ import annotations

import numpy as np

from facecom.geometry.enclosed_holes import enclosed_holes
from facecom.geometry.mesh import Mesh


def test_a_hole_is_told_from_the_outside(sheet):
    flat = sheet(60, 60)
    vertices, faces = flat.vertices - [30.0, 30.0, 0.0], flat.faces
    away = np.linalg.norm(vertices[:, :2], axis=1)
    observed = (away < 22) & (away > 5)
    holes = enclosed_holes(Mesh(vertices, faces), observed)
    assert np.array_equal(holes, away <= 5)
    assert enclosed_holes(Mesh(vertices, faces), np.zeros_like(observed)).all()
