"""Guidance inside the job: what the pictures pull, what they leave alone, and what happens when they fail."""

import types
from dataclasses import replace

import numpy as np
import pytest

from facecom.completion import CompletionState, complete
from facecom.completion.stages import guide
from facecom.errors import CheckpointError
from facecom.evaluation.partial_scans import partial_scan
from facecom.fitting.fit import Fit
from facecom.geometry.mesh import vertex_normals
from facecom.geometry.transform import Similarity
from facecom.guidance import guide as module
from facecom.guidance.diffusers_pipeline import PipelineSettings
from facecom.guidance.guide import Guidance
from facecom.guidance.inpainting import DepthInpainter, InpaintedView
from facecom.guidance.parsing import FaceParser, ParsedImage
from facecom.guidance.settings import GuidanceSettings
from facecom.guidance.targets import Observations
from facecom.model.linear.generator import LinearGenerator

LEVEL, HIGHER_MM = 2, 2.0


@pytest.fixture(scope="module")
def model() -> LinearGenerator:
    return LinearGenerator.load()


@pytest.fixture
def fitted(model) -> Fit:
    size = model.code_size
    still = Similarity(np.eye(3), np.zeros(3))
    precision = np.diag(np.r_[np.ones(size), np.full(6, 1e6)])
    return Fit(np.zeros(size), still, model.decode(np.zeros(size), level=1), 1, precision, np.zeros(1), {}, True)


@pytest.fixture
def scan(model):
    mesh = model.template.mesh(1)
    return types.SimpleNamespace(for_fit=types.SimpleNamespace(mesh=mesh))


def guided(scan, model, fitted, source) -> tuple[Fit, tuple[str, ...]]:
    """The fit after the job's two steps, pictures taken and trusted, and what went wrong with them."""
    after = guide(CompletionState(model=model, scan=scan, fit=fitted, guidance_source=source))
    return after.fit, after.warnings


def higher_nose(model) -> Observations:
    """The nose, two millimetres farther out than the mean face has it."""
    count, faces = model.template.counts[LEVEL], model.template.faces[LEVEL]
    vertices = model.template.vertices[:count]
    nose = model.template.region[:count] == model.template.region_names.index("nose")
    corners = faces[nose[faces].all(axis=1)]
    normals = vertex_normals(vertices, faces)[corners[:, 0]]
    at = vertices[corners].mean(axis=1)
    shares = np.full((len(corners), 3), 1 / 3)
    return Observations(corners, shares, at + HIGHER_MM * normals, normals, np.full(len(corners), 0.1))


def test_pictures_move_the_face_and_make_nobody_surer(model, fitted, scan, monkeypatch):
    seen = higher_nose(model)
    monkeypatch.setattr(module, "guide", lambda *_, **__: Guidance(seen, ()))
    after, problems = guided(scan, model, fitted, "shipped")
    before, moved = (model.decode(f.code, level=LEVEL) for f in (fitted, after))
    out = np.einsum("nd,nd->n", (moved - before)[seen.corners[:, 0]], seen.normals)
    assert 0.6 * HIGHER_MM < out.mean() < 1.2 * HIGHER_MM
    assert np.array_equal(after.precision, fitted.precision)
    assert problems == ()


def test_without_pictures_the_fit_is_the_same_object(model, fitted, scan, monkeypatch):
    assert guided(scan, model, fitted, "none") == (fitted, ())
    monkeypatch.setattr(module, "guide", lambda *_, **__: Guidance(None, (), warnings=("view below: nothing",)))
    assert guided(scan, model, fitted, "shipped") == (fitted, ("view below: nothing",))


def test_auto_goes_on_with_a_warning_and_a_named_source_does_not(model, fitted, scan, monkeypatch):
    def fail(*_, **__):
        raise ValueError("the mask covers the whole face")

    monkeypatch.setattr(module, "guide", fail)
    monkeypatch.setattr(module, "AUTO_USES_PICTURES", True)
    after, problems = guided(scan, model, fitted, "auto")
    assert after is fitted
    assert problems == ("no guidance by images: the mask covers the whole face",)
    with pytest.raises(ValueError, match="covers the whole face"):
        guided(scan, model, fitted, "shipped")
    monkeypatch.setattr(module, "AUTO_USES_PICTURES", False)
    assert guided(scan, model, replace(fitted), "auto")[1] == ()


def test_missing_weights_stop_a_job_that_named_them_and_warn_one_that_left_it_open(model, fitted, scan, monkeypatch):
    def fail():
        raise CheckpointError("assets/inpainter/config.json: is missing; the inpainter needs it")

    monkeypatch.setattr(DepthInpainter, "from_pretrained", fail)
    monkeypatch.setattr(module, "AUTO_USES_PICTURES", True)
    after, problems = guided(scan, model, fitted, "auto")
    assert after is fitted
    assert problems == ("no guidance by images: assets/inpainter/config.json: is missing; the inpainter needs it",)
    with pytest.raises(CheckpointError, match="is missing"):
        guided(scan, model, fitted, "shipped")


@pytest.mark.parametrize("source", ["magic", "owner/name@main", None, 3])
def test_a_wrong_word_costs_nothing(source):
    """The scan is not even looked for."""
    with pytest.raises(ValueError, match="guidance must be auto, none, shipped, a folder"):
        complete("there/is/no/such/scan.ply", guidance=source)


class Parser:
    """Calls everything skin that shows."""

    size = 24

    def parse(self, image):
        labels = (image.max(axis=2) > 0).astype(int)
        return ParsedImage(labels, np.ones(labels.shape), ("background", "skin"))


class Inpainter:
    """Fills every hole two millimetres in front of the fitted face."""

    size = 40

    def fill(self, scan, face, mask, *, other=None):
        depth = np.where(mask, face.depth - HIGHER_MM, scan.depth)
        normals = np.where(mask[..., None], face.normals, scan.normals)
        return InpaintedView(depth, normals, np.where(mask, 1.0, 0.0), mask)


def test_a_parser_and_an_inpainter_of_ones_own_guide_the_job(model, fitted, scan, monkeypatch):
    """The scan lacks its nose, and the inpainter says that it stands out farther."""

    def loaded(*_):
        raise AssertionError("the shipped network was loaded")

    for network in (DepthInpainter, FaceParser):
        monkeypatch.setattr(network, "from_pretrained", loaded)
    whole = scan.for_fit.mesh
    nose = np.linalg.norm(whole.vertices, axis=1) < 25.0
    scan.for_fit.mesh = whole.submesh(~nose[whole.faces].any(axis=1))[0]
    after, problems = guided(scan, model, fitted, GuidanceSettings(parser=Parser(), inpainter=Inpainter()))
    assert problems == ()
    moved = (model.decode(after.code, level=1) - model.decode(fitted.code, level=1))[:, 2]
    assert 0.4 * HIGHER_MM < moved[nose].mean() < 1.6 * HIGHER_MM


def test_a_pipeline_that_is_not_there_is_named(model, fitted, scan, tmp_path):
    pytest.importorskip("diffusers")
    with pytest.raises(CheckpointError, match="pipeline .* cannot be had"):
        guided(scan, model, fitted, PipelineSettings(source=str(tmp_path)))


@pytest.mark.slow
def test_the_report_says_what_pictures_moved_and_what_they_showed(model, monkeypatch):
    """A face of the model, whose sides need not be alike, is to be filled in all the same."""
    pytest.importorskip("torch")
    face = model.sample(3, level=2)
    front = face.submesh((face.vertices[face.faces][..., 2] > -75.0).all(1))[0]
    done = complete(
        partial_scan(front, "orbit", seed=1).scan, model=model, guidance=GuidanceSettings(min_symmetry=-1.0)
    )
    moved, seen = done.report.guidance_mm, done.report.parsed_share
    assert max(moved["l_eye"], moved["r_eye"]) > max(2 * moved["nose"], 0.01)
    assert set(seen) <= set(model.template.region_names)
    assert seen["skin"] > 0.8 and all(0 <= share <= 1 for share in seen.values())
    assert sorted((seen["l_eye"], seen["r_eye"]))[0] < 0.6 < 0.8 < sorted((seen["l_eye"], seen["r_eye"]))[1]
