"""Pipelines that a user names: what they may change, and how what is missing is named."""

import dataclasses
import types

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.guidance.camera import Camera
from facecom.guidance.diffusers_pipeline import (
    PipelineSettings,
    inpaint_image,
    inpaint_normals,
    load_pipeline,
    named_pipeline,
)

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
from PIL import Image  # noqa: E402


class Stub:
    """Answers as diffusers' inpainting pipelines do."""

    def __init__(self, change):
        self.change, self.called = change, {}

    def __call__(self, **options):
        self.called = options
        return types.SimpleNamespace(images=[self.change(options["image"], options["mask_image"])])


SETTINGS = PipelineSettings(source="some/pipeline", size=32, steps=2)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)


@pytest.fixture
def hole() -> np.ndarray:
    hole = np.zeros((24, 32), bool)
    hole[8:16, 10:20] = True
    return hole


def test_only_the_hole_comes_from_the_pipeline(picture, hole):
    stub = Stub(lambda image, mask: Image.fromarray(255 - (255 - np.asarray(image)) // 2))
    whole = inpaint_image(stub, picture, hole, settings=SETTINGS, seed=5)
    assert whole[~hole].tobytes() == picture[~hole].tobytes()
    assert (whole[hole] == (255 - (255 - picture) // 2)[hole]).all()
    assert stub.called["num_inference_steps"] == 2
    assert stub.called["generator"].initial_seed() == 5
    assert np.array_equal(np.asarray(stub.called["mask_image"]) > 127, hole)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda image, mask: image.resize((8, 8)), "some/pipeline returned an image of"),
        (lambda image, mask: image.convert("L"), "some/pipeline returned an image of"),
        (lambda image, mask: Image.fromarray(255 - np.asarray(image)), "some/pipeline changed the kept pixels"),
    ],
)
def test_pipelines_that_return_something_else_are_named(picture, hole, change, words):
    with pytest.raises(ValueError, match=words):
        inpaint_image(Stub(change), picture, hole, settings=SETTINGS)


def test_masks_that_cover_nothing_or_everything_are_refused(picture, hole):
    for mask in (np.zeros_like(hole), np.ones_like(hole)):
        with pytest.raises(ValueError, match="cover something and leave something"):
            inpaint_image(Stub(lambda image, mask: image), picture, mask, settings=SETTINGS)
    with pytest.raises(ValueError, match="bytes"):
        inpaint_image(Stub(lambda image, mask: image), picture / 255, hole, settings=SETTINGS)


def test_a_picture_of_the_right_normals_gives_the_right_depth(views, mask):
    scan, face = views
    axes = scan.camera.axes

    def know_all(image, _):
        normals = np.where(face.mask[..., None], face.normals, 0.0) @ axes.T
        colours = np.round(255 * (0.5 + 0.5 * normals)).astype(np.uint8)
        return Image.fromarray(colours).resize(image.size, Image.Resampling.NEAREST)

    depth, normals = inpaint_normals(Stub(know_all), scan, mask, settings=dataclasses.replace(SETTINGS, max_change=1.0))
    assert depth[~mask].tobytes() == scan.depth[~mask].tobytes()
    assert normals[~mask].tobytes() == scan.normals[~mask].tobytes()
    truth = 500 - np.sqrt(np.maximum(40.0**2 - _squared_radius(scan.camera), 0))
    assert np.abs(depth - truth)[mask].max() < 1.0


def _squared_radius(camera: Camera) -> np.ndarray:
    origins, _ = camera.rays()
    return origins[..., 0] ** 2 + origins[..., 1] ** 2


@pytest.mark.slow
def test_a_pipeline_without_commit_or_weights_is_named(tmp_path):
    with pytest.raises(ValueError, match="some/pipeline: is no folder; for a Hub id give revision"):
        load_pipeline(SETTINGS)
    with pytest.raises(CheckpointError, match="cannot be had"):
        load_pipeline(dataclasses.replace(SETTINGS, source=str(tmp_path)))


@pytest.mark.parametrize("download", [False, True])
def test_a_pipeline_of_the_hub_without_network_is_named_with_what_to_check(monkeypatch, download):
    asked = []

    def unreachable(source, **options):
        asked.append((source, options["revision"], options["local_files_only"], options["use_safetensors"]))
        raise OSError("we could not connect to the hub")

    monkeypatch.setattr(diffusers.AutoPipelineForInpainting, "from_pretrained", unreachable)
    settings = dataclasses.replace(SETTINGS, revision=40 * "0", download=download)
    with pytest.raises(CheckpointError, match="some/pipeline: cannot be had .*connect.* allow the download"):
        load_pipeline(settings)
    assert asked == [("some/pipeline", 40 * "0", not download, True)]


def test_words_that_name_a_pipeline_and_words_that_do_not(tmp_path):
    assert named_pipeline(str(tmp_path)).source == str(tmp_path)
    found = named_pipeline("owner/name@" + 40 * "a")
    assert (found.source, found.revision, found.download) == ("owner/name", 40 * "a", False)
    for text in ("magic", "owner/name", "owner/name@main", "owner/name@" + 39 * "a"):
        with pytest.raises(ValueError, match="auto, none, shipped, a folder"):
            named_pipeline(text)
