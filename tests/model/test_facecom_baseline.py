"""The FaceCom architecture as a baseline: started as PCA it is PCA, but for what its averages blur."""

import numpy as np
import pytest

from facecom.model.linear import LinearGenerator
from facecom.model.mixing import mixed_faces
from facecom.model.training import principal_modes
from training.train_facecom import Budget, train_facecom, train_from_pca


@pytest.fixture(scope="module")
def faces():
    return mixed_faces(LinearGenerator.load(), 8, seed=5)


def test_started_as_pca_the_decoder_is_pca_but_for_its_smoothing(faces):
    template = LinearGenerator.load().template
    mean = faces.mean(axis=0)
    modes = principal_modes(faces, mean, count=2)
    flat = modes.reshape(2, -1)
    codes = (faces - mean).reshape(len(faces), -1) @ flat.T / (flat**2).sum(axis=1)
    made = train_from_pca(faces, template, codes, modes, budget=Budget(minutes=0.0))
    assert made.steps == 0
    for code in codes[:2]:
        wanted = mean + np.tensordot(code, modes, axes=1)
        gap = np.linalg.norm(made.source.decode(code) - wanted, axis=1)
        assert gap.mean() < 0.05 * np.linalg.norm(wanted - mean, axis=1).mean()


def test_a_step_of_the_whole_architecture_runs_and_is_counted(faces):
    template = LinearGenerator.load().template
    made = train_facecom(faces, template, code_size=2, budget=Budget(minutes=1e-6, batch=3))
    assert made.steps == 1
    assert np.isfinite(made.error_mm)
    assert made.source.decode(np.zeros(2)).shape == (template.counts[2], 3)
