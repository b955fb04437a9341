"""Which pixels are a hole, and what the shipped kind of network makes of them."""

import dataclasses
import json

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.guidance.camera import Camera
from facecom.guidance.inpainting import DepthInpainter, check_unmasked_unchanged, hole_mask

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from facecom.guidance.inpainter_network import FEATURE_COUNT, INPUT_CHANNELS, OUTPUT_CHANNELS  # noqa: E402

SIZE = 16
READOUT = np.linspace(-0.05, 0.05, FEATURE_COUNT).tolist()
FILE = {"size": SIZE, "scale_mm": 2.0, "pack": 1, "sigma_scale": 1.0, "readout": READOUT}


@pytest.fixture(scope="module")
def network(small_unet) -> object:
    return small_unet(SIZE, channels=(INPUT_CHANNELS, OUTPUT_CHANNELS)).eval()


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
