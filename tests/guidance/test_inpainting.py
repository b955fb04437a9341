import dataclasses
import json
import types

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.geometry.mesh import Mesh
from facecom.guidance.camera import Camera
from facecom.guidance.diffusers_pipeline import (
    PipelineSettings,
    inpaint_image,
    inpaint_normals,
    load_pipeline,
    named_pipeline,
)
from facecom.guidance.inpainting import DepthInpainter, check_unmasked_unchanged, hole_mask
from facecom.guidance.rendering import Render, render

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
from PIL import Image  # noqa: E402

from facecom.guidance.inpainter_network import FEATURE_COUNT, INPUT_CHANNELS, OUTPUT_CHANNELS  # noqa: E402

SIZE = 16
READOUT = np.linspace(-0.05, 0.05, FEATURE_COUNT).tolist()
FILE = {"size": SIZE, "scale_mm": 2.0, "pack": 1, "sigma_scale": 1.0, "readout": READOUT}


@pytest.fixture(scope="module")
def network(small_unet) -> object:
    return small_unet(SIZE, channels=(INPUT_CHANNELS, OUTPUT_CHANNELS)).eval()


@pytest.fixture(scope="module")
def views(icosphere) -> tuple[Render, Render]:
    """A ball with a hole towards the viewer, and the whole ball, slightly larger."""
    ball = icosphere(4, radius=40.0)
    middle = ball.vertices[ball.faces].mean(1)
    camera = Camera.orthographic(target=[0, 0, 0], half_mm=45, size=SIZE)
    whole = Mesh(ball.vertices * 1.02, ball.faces)
    return render(ball.submesh(np.linalg.norm(middle - [0, 10, 40], axis=1) > 20)[0], camera), render(whole, camera)


@pytest.fixture(scope="module")
def mask(views) -> np.ndarray:
    return hole_mask(*views)


# ---- which pixels


def test_the_hole_is_where_the_face_shows_and_the_scan_does_not(views, mask):
    scan, face = views
    assert (mask == (face.mask & ~scan.mask)).all()
    assert 10 < mask.sum() < face.mask.sum()


def test_clutter_and_what_lies_far_off_belong_to_the_hole_and_other_regions_do_not(views, mask):
    scan, face = views
    kept = np.argwhere(face.mask & ~mask)
    one, two, three = map(tuple, kept[[0, 5, -1]])
    depth = scan.depth.copy()
    depth[one] -= 30
    clutter = np.zeros_like(mask)
    clutter[two] = True
    labels = np.where(face.mask, 1, -1)
    hidden = tuple(np.argwhere(mask)[0])
    labels[hidden] = 0
    found = hole_mask(dataclasses.replace(scan, depth=depth), dataclasses.replace(face, labels=labels), clutter=clutter)
    assert found[one] and found[two] and not found[three] and not found[hidden]


def test_masks_that_leave_nothing_and_other_cameras_are_refused(views, mask):
    scan, face = views
    with pytest.raises(ValueError, match="covers the whole face"):
        hole_mask(scan, face, clutter=np.ones_like(mask))
    other = Camera.orthographic(target=[0, 0, 0], half_mm=45, size=SIZE)
    with pytest.raises(ValueError, match="same camera"):
        hole_mask(scan, dataclasses.replace(face, camera=other))


# ---- the shipped kind of network


def test_pixels_outside_the_mask_are_the_scans_bit_by_bit(network, views, mask):
    scan, face = views
    filled = DepthInpainter(network, size=SIZE, scale_mm=2.0, readout=READOUT).fill(scan, face, mask)
    assert filled.depth[~mask].tobytes() == scan.depth[~mask].tobytes()
    assert filled.normals[~mask].tobytes() == scan.normals[~mask].tobytes()
    assert np.isfinite(filled.depth[mask]).all() and (filled.sigma_mm[mask] > 0).all()
    assert (filled.sigma_mm[~mask] == 0).all()
    assert np.allclose(np.linalg.norm(filled.normals[mask], axis=-1), 1)


@pytest.mark.slow
def test_seeds_give_other_surfaces_and_the_same_seed_the_same(network, views, mask):
    inpainter = DepthInpainter(network, size=SIZE, scale_mm=2.0, readout=READOUT)
    mean, one, again, two = (inpainter.fill(*views, mask, seed=s).depth[mask] for s in (None, 1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.allclose(one, two)
    many = np.stack([inpainter.fill(*views, mask, seed=s).depth[mask] for s in range(60)])
    sigma = inpainter.fill(*views, mask).sigma_mm[mask]
    assert abs(float(((many - mean) / sigma).std()) - 1) < 0.15


def test_the_network_sees_what_is_known_and_nothing_of_the_hole(network, views, mask):
    scan, face = views
    secret = dataclasses.replace(
        scan, depth=np.where(mask, 1e6, scan.depth), normals=np.where(mask[..., None], 7, scan.normals)
    )
    inpainter = DepthInpainter(network, size=SIZE, scale_mm=2.0, readout=READOUT)
    assert np.array_equal(inpainter.fill(secret, face, mask).depth[mask], inpainter.fill(scan, face, mask).depth[mask])
    nearer = dataclasses.replace(scan, depth=scan.depth - 1.0)
    change = inpainter.fill(nearer, face, mask).depth[mask] - inpainter.fill(*views, mask).depth[mask]
    assert np.abs(change).max() > 1e-4


def test_what_the_other_side_shows_counts_where_it_is_known(network, views, mask):
    scan, face = views
    inpainter = DepthInpainter(network, size=SIZE, scale_mm=2.0, readout=READOUT)
    alone = inpainter.fill(scan, face, mask).depth
    beside = inpainter.fill(scan, face, mask, other=(face, face)).depth
    assert np.abs(beside - alone)[mask].max() > 1e-4
    assert beside[~mask].tobytes() == scan.depth[~mask].tobytes()


def test_a_surface_as_likely_is_as_far_off_as_sigma_says_and_sigma_is_scaled(network, views, mask):
    once, twice = (
        DepthInpainter(network, size=SIZE, scale_mm=2.0, readout=READOUT, sigma_scale=k).fill(*views, mask).sigma_mm
        for k in (1.0, 2.0)
    )
    assert np.allclose(twice[mask], 2 * once[mask])


def test_saved_in_diffusers_format_it_comes_back(network, views, mask, tmp_path):
    network.save_pretrained(tmp_path)
    (tmp_path / "inpainter.json").write_text(json.dumps(FILE))
    before = DepthInpainter(network, size=SIZE, scale_mm=2.0, readout=READOUT).fill(*views, mask)
    after = DepthInpainter.from_pretrained(tmp_path).fill(*views, mask)
    assert np.allclose(before.depth[mask], after.depth[mask], atol=1e-5)


def test_missing_damaged_and_other_networks_are_named(network, tmp_path):
    network.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="inpainter.json: is missing"):
        DepthInpainter.from_pretrained(tmp_path)
    (tmp_path / "inpainter.json").write_text(json.dumps({k: v for k, v in FILE.items() if k != "scale_mm"}))
    with pytest.raises(CheckpointError, match="scale_mm"):
        DepthInpainter.from_pretrained(tmp_path)
    (tmp_path / "inpainter.json").write_text(json.dumps(FILE))
    (tmp_path / "inpainter.json").write_text(json.dumps(FILE | {"readout": [1.0]}))
    with pytest.raises(CheckpointError, match="readout has 1 numbers"):
        DepthInpainter.from_pretrained(tmp_path)
    (tmp_path / "inpainter.json").write_text(json.dumps(FILE))
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="cannot be read"):
        DepthInpainter.from_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(CheckpointError, match="diffusion_pytorch_model.safetensors: is missing"):
        DepthInpainter.from_pretrained(tmp_path)


def test_other_channels_other_sizes_and_empty_masks_are_refused(network, views, mask, tmp_path, small_unet):
    small_unet(8, widths=(4, 4)).save_pretrained(tmp_path)
    (tmp_path / "inpainter.json").write_text(json.dumps(FILE | {"size": 8}))
    with pytest.raises(CheckpointError, match=r"\(3, 3\) channels in and out, \(14, 5\)"):
        DepthInpainter.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="32 x 32 pixels, got"):
        DepthInpainter(network, size=32, scale_mm=2.0, readout=READOUT).fill(*views, mask)
    inpainter = DepthInpainter(network, size=SIZE, scale_mm=2.0, readout=READOUT)
    with pytest.raises(ValueError, match="mask is empty"):
        inpainter.fill(*views, np.zeros_like(mask))
    with pytest.raises(ValueError, match="covers the whole face"):
        inpainter.fill(*views, np.ones_like(mask))


def test_changed_pixels_are_counted_down_to_the_last_bit():
    before, mask = np.random.default_rng(0).normal(size=(5, 5)), np.zeros((5, 5), bool)
    mask[2] = True
    after = before.copy()
    after[2] = 0
    check_unmasked_unchanged(before, after, mask, who="it")
    after[0, 0], after[4, 4] = np.nextafter(after[0, 0], 9), -after[4, 4]
    with pytest.raises(ValueError, match="it changed 2 pixels"):
        check_unmasked_unchanged(before, after, mask, who="it")
    with pytest.raises(ValueError, match="another size or kind"):
        check_unmasked_unchanged(before, before.astype(np.float32), mask, who="it")


# ---- pipelines that a user names


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
