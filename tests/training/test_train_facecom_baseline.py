"""The FaceCom architecture as a baseline: started as PCA it is PCA, but for what its averages blur."""

import numpy as np
import pytest
import torch

from facecom.model.adapters.facecom_network import FaceComDecoder
from facecom.model.augmentation import augmented_faces
from facecom.model.linear.generator import LinearGenerator
from facecom.model.principal_modes import principal_modes
from training.facecom_baseline import NARROW, WIDE, Encoder, levels_of
from training.train_facecom_baseline import Budget, _TrainingRun, train_facecom, train_from_pca


@pytest.fixture(scope="module")
def faces():
    return augmented_faces(LinearGenerator.load(), 8, seed=5)


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_step_of_the_whole_architecture_runs_and_is_counted(faces):
    template = LinearGenerator.load().template
    made = train_facecom(faces, template, code_size=2, budget=Budget(minutes=1e-6, batch=3))
    assert made.steps == 1
    assert np.isfinite(made.error_mm)
    assert made.source.decode(np.zeros(2)).shape == (template.counts[2], 3)


@pytest.mark.slow
def test_a_run_goes_on_where_it_stood(faces, tmp_path):
    template = LinearGenerator.load().template
    short = Budget(minutes=1e-6, batch=3)
    first = train_facecom(faces, template, code_size=2, budget=short, folder=tmp_path)
    again = train_facecom(faces, template, code_size=2, budget=short, folder=tmp_path)
    assert again.steps == first.steps == 1
    assert again.minutes == first.minutes
    np.testing.assert_allclose(again.source.decode(np.ones(2)), first.source.decode(np.ones(2)), atol=1e-3)
    longer = Budget(minutes=2 * first.minutes, batch=3)
    assert train_facecom(faces, template, code_size=2, budget=longer, folder=tmp_path).steps > 1


@pytest.mark.slow
def test_codes_of_the_training_faces_are_made_standard(faces):
    torch.manual_seed(0)
    levels = levels_of(LinearGenerator.load().template)
    decoder = FaceComDecoder(2, WIDE, NARROW, around=levels.around, ups=levels.ups)
    encoder = Encoder(2, levels)
    run = _TrainingRun(faces, decoder, encoder, Budget(minutes=0.0), None)
    x = torch.tensor((faces - run.mean) / run.deviation, dtype=torch.float32).transpose(0, 1)
    enter = decoder.decoder_lin
    with torch.no_grad():
        entered = enter(encoder.eval()(x))
        run.calibrate()
        codes = np.sqrt(2) * torch.linalg.lstsq(enter.weight.double(), (entered - enter.bias).double().T).solution
    np.testing.assert_allclose(codes.mean(1), 0.0, atol=1e-3)
    np.testing.assert_allclose(torch.cov(codes), np.eye(2), atol=1e-2)
