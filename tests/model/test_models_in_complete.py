"""Every kind of face model takes the shipped one's place in `complete`: networks, and transferred models."""

import numpy as np
import pytest

from facecom.completion import CompletionSettings, complete
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear.expressive import ExpressiveGenerator
from facecom.model.linear.generator import LinearGenerator

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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["network", "transferred", "facecom", "expressive"])
def test_complete_takes_any_model(kind, small_model, scanned):
    whole, scan, nose = scanned
    model = small_model(kind)
    done = complete(scan, unit="mm", model=model, settings=CompletionSettings())
    found = done.face.vertices[: len(whole)]
    error = np.linalg.norm(found - whole, axis=1)
    mean = POSE.apply(model.template.vertices[: len(whole)])
    assert error[nose].mean() < min(1.0, 0.5 * np.linalg.norm(mean - whole, axis=1)[nose].mean())


@pytest.mark.slow
def test_a_partial_scan_with_a_smile_is_completed_and_relaxed(modes):
    """From a scan that smiles and lacks its nose to the same person at rest, nose and all."""
    whole = LinearGenerator.load()
    parts = {"modes": modes, "mode_odd": whole.mode_odd[:CODE], "fields": whole.fields[:1]}
    model = ExpressiveGenerator(LinearGenerator(whole.template, field_odd=whole.field_odd[:1], description={}, **parts))
    person = np.random.default_rng(2).normal(size=model.identity.code_size)
    code = model.compose(person, {"mouthSmile_L": 0.6, "mouthSmile_R": 0.6, "jawOpen": 0.2})
    smiling, rest = model.decode(code, level=1), model.identity.decode(person, level=1)
    faces, nose = model.faces(1), np.linalg.norm(rest, axis=1) < 25.0
    done = complete(Mesh(POSE.apply(smiling), faces[~nose[faces].any(axis=1)]), unit="mm", model=model)
    fitted = done.context.fit
    relaxed = fitted.pose.inverse().apply(model.decode(model.relaxed(fitted.code), level=1))
    away = np.linalg.norm(smiling - rest, axis=1)
    left = np.linalg.norm(relaxed - POSE.apply(rest), axis=1)
    assert left[away > 2.0].mean() < 0.4 * away[away > 2.0].mean()
    assert left[nose].mean() < 1.5
    assert model.weights(fitted.code)["mouthSmile_L"] > 0.3
