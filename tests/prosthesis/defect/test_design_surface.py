"""The surface that a part is designed on."""

from types import SimpleNamespace

import numpy as np

from facecom.prosthesis.defect.design_surface import DesignSurface


def test_a_design_moves_with_its_sample(template, left_ear, completion_of):
    source = DesignSurface.from_face(completion_of(left_ear), left_ear)
    shift = np.where(left_ear[:, None], [0.0, 0.5, 0.0], 0.0)
    other = SimpleNamespace(
        evidence=SimpleNamespace(projected=SimpleNamespace(vertices=source.face + shift)),
    )
    moved = source.with_completion(other)
    assert np.allclose(moved.merged.vertices - source.merged.vertices, shift)
    assert np.allclose(moved.face, source.face + shift)
