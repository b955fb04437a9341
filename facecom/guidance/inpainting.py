"""Inpaint the hole in a view of a face: depth and normals by the shipped network."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter

from facecom.errors import CheckpointError, MissingDependency, need
from facecom.geometry.mesh import Bools, Floats, unit
from facecom.guidance.rendering import Render

if TYPE_CHECKING:
    from facecom.guidance.inpainter_network import ViewInput

RenderPair = tuple[Render, Render]
"""Renders of scan and fitted face by one camera."""
WEIGHTS = "diffusion_pytorch_model.safetensors"
SETTINGS = "inpainter.json"
NOISE_SIGMA_PX = 2.0
"""Distance over which a drawn surface differs alike from the expected one, pixels."""
LOG_SIGMA_RANGE = (-6, 3)
"""Bounds on the logarithm of the sigma that the network gives, in units of its scale."""


@dataclass(frozen=True, eq=False)
class InpaintedView:
    """A view without its hole: depth (H, W) mm, normals (H, W, 3), sigma_mm (H, W), mask (H, W) of filled pixels.

    Outside the mask depth and normals are the scan's, bit by bit, and sigma is zero.
    """

    depth: Floats
    normals: Floats
    sigma_mm: Floats
    mask: Bools


def hole_mask(scan: Render, face: Render, *, reach_mm: float = 8.0, clutter: Bools | None = None) -> Bools:
    """Pixels (H, W) where the fitted face shows and the scan does not, lies elsewhere, or is clutter.

    Where `face` has labels, pixels labelled zero (scalp, ears, neck) are no part of the hole.

    Raises
    ------
    ValueError
        When the renders are not of one camera, or when nothing of the face is left outside the mask.
    """
    if scan.camera is not face.camera:
        raise ValueError("scan and face must be rendered with the same camera")
    distance = np.where(scan.mask & face.mask, np.abs(np.nan_to_num(scan.depth - face.depth)), np.inf)
    mask = face.mask & ~(distance < reach_mm)
    if clutter is not None:
        mask |= face.mask & np.asarray(clutter, bool)
    if face.labels is not None:
        mask &= face.labels > 0
    if not (face.mask & ~mask).any():
        raise ValueError("the mask covers the whole face: this view shows nothing to continue from")
    return mask


class DepthInpainter:
    """A network that continues the residual between scan and fitted face into the hole; the shipped `Inpainter`.

    Parameters
    ----------
    network : diffusers' UNet2DModel or `shipped_networks.ShippedUNet`, used in one step
    size : side of its views in pixels
    scale_mm : offset that stands for one in the network's numbers
    readout : (K,), weights of a pixel's neighbourhood features in the first answer, to which the network adds
    pack : side of the blocks of pixels that go through the network as one
    sigma_scale : factor on the network's sigma, from heads that it was not trained on
    """

    def __init__(
        self,
        network: Any,
        *,
        size: int,
        scale_mm: float,
        readout: ArrayLike,
        pack: int = 1,
        sigma_scale: float = 1.0,
    ) -> None:
        self.network, self.size, self.scale_mm = network.eval(), size, scale_mm
        self.readout, self.pack, self.sigma_scale = np.asarray(readout, np.float32), pack, sigma_scale

    @classmethod
    def from_pretrained(cls, folder: str | Path | None = None) -> DepthInpainter:
        """Load from a folder in diffusers' format with inpainter.json beside it; the shipped one when not given.

        Raises
        ------
        CheckpointError
            When files are missing, damaged or of another kind.
        MissingDependency
            When diffusers is not installed, which the shipped one does not need.
        """
        return _shipped() if folder is None else _load(Path(folder), _diffusers_network)

    def fill(
        self, scan: Render, face: Render, mask: Bools, *, other: RenderPair | None = None, seed: int | None = None
    ) -> InpaintedView:
        """Fill the masked pixels of a view of a scan.

        Parameters
        ----------
        scan, face : renders of the scan and of the face fitted to it, same camera
        mask : (H, W) bool, see `hole_mask`
        other : the same two renders from `camera.mirrored()`: what the other side of the face shows
        seed : None for the expected surface, else one of the surfaces that are as likely

        Raises
        ------
        ValueError
            When the views have another size than the network's, or the mask covers nothing or everything.
        """
        import torch

        from facecom.guidance.inpainter_network import input_channels, predict

        _check_mask(mask, face.mask)
        if mask.shape != (self.size, self.size):
            raise ValueError(f"the inpainter works on {self.size} x {self.size} pixels, got {mask.shape}")
        with torch.inference_mode():
            view, readout = _network_input(scan, face, mask, other), torch.from_numpy(self.readout)
            batch = input_channels(view, readout, scale_mm=self.scale_mm)
            found = predict(self.network, batch, pack=self.pack)[0].numpy().astype(float)
        # the network gives offsets along the normals; along an oblique view the same offset is deeper
        facing = face.facing()
        offset = self.scale_mm * found[0] / facing
        sigma = self.sigma_scale * self.scale_mm * np.exp(np.clip(found[1], *LOG_SIGMA_RANGE)) / facing
        if seed is not None:
            offset = offset + sigma * _smooth_noise(mask.shape, seed)
        normals = unit(face.normals + found[2:].transpose(1, 2, 0) @ face.camera.axes)
        depth = np.where(mask, face.depth + offset, scan.depth)
        normals = np.where(mask[..., None], normals, scan.normals)
        check_unmasked_unchanged(scan.depth, depth, mask, who="the inpainter")
        check_unmasked_unchanged(scan.normals, normals, mask, who="the inpainter")
        return InpaintedView(depth, normals, np.where(mask, sigma, 0.0), mask.copy())


def _network_input(scan: Render, face: Render, mask: Bools, other: RenderPair | None) -> ViewInput:
    """The network's input for one view."""
    import torch

    from facecom.guidance.inpainter_network import ViewInput

    no_hole = np.zeros_like(mask)
    residual, known = known_residual(scan, face, mask)
    mirrored = (0.0 * no_hole, no_hole) if other is None else known_residual(*other, no_hole)
    images = (residual, known, mirrored[0][:, ::-1], mirrored[1][:, ::-1], mask, np.nan_to_num(face.depth))
    normals = (face.normals @ face.camera.axes.T).transpose(2, 0, 1)
    return ViewInput(*(torch.from_numpy(np.array(p, np.float32))[None] for p in (*images, normals)))


def known_residual(scan: Render, face: Render, mask: Bools, *, reach_mm: float = 8.0) -> tuple[Floats, Bools]:
    """How far the scan lies in front of (negative) or behind the fitted face along its normals, and where.

    Returns
    -------
    residual : (H, W), mm, zero where nothing is known
    known : (H, W) bool, where scan and face show and lie within reach, outside the mask
    """
    difference = np.nan_to_num(scan.depth - face.depth)
    known = scan.mask & face.mask & ~mask & (np.abs(difference) < reach_mm)
    return np.where(known, difference * face.facing(), 0.0), known


def check_unmasked_unchanged(before: ArrayLike, after: ArrayLike, mask: Bools, *, who: str) -> None:
    """Raise unless all pixels outside the mask are the same bits.

    Raises
    ------
    ValueError
        Naming `who` and the number of pixels.
    """
    old, new = np.ascontiguousarray(np.asarray(before)[~mask]), np.ascontiguousarray(np.asarray(after)[~mask])
    if old.shape != new.shape or old.dtype != new.dtype:
        raise ValueError(f"{who} gave an image of another size or kind: {new.shape} {new.dtype} for {old.shape}")
    changed = (old.view(np.uint8) != new.view(np.uint8)).reshape(len(old), -1).any(1).sum() if old.size else 0
    if changed:
        raise ValueError(f"{who} changed {changed} pixels outside the mask")


def _check_mask(mask: Bools, face: Bools) -> None:
    if not mask.any():
        raise ValueError("the mask is empty: there is nothing to fill")
    if not (face & ~mask).any():
        raise ValueError("the mask covers the whole face: this view shows nothing to continue from")


def _smooth_noise(shape: tuple[int, int], seed: int) -> Floats:
    """Noise of unit variance that neighbouring pixels share."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), NOISE_SIGMA_PX, mode="wrap")
    return noise / noise.std()


@functools.cache
def _shipped() -> DepthInpainter:
    with resources.as_file(resources.files("facecom").joinpath("assets", "inpainter")) as folder:
        return _load(folder, _shipped_network)


def _load(folder: Path, read: Callable[[Path, Mapping[str, Any]], Any]) -> DepthInpainter:
    from facecom.guidance.inpainter_network import FEATURE_COUNT, INPUT_CHANNELS, OUTPUT_CHANNELS

    for name in ("config.json", WEIGHTS, SETTINGS):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name}: is missing; the inpainter needs it")
    try:
        config, settings = (json.loads((folder / name).read_text("utf-8")) for name in ("config.json", SETTINGS))
        size, pack, readout = int(settings["size"]), int(settings["pack"]), [float(x) for x in settings["readout"]]
        scale, sigma_scale = float(settings["scale_mm"]), float(settings["sigma_scale"])
        found = (config["in_channels"], config["out_channels"])
        network = read(folder, config)
    except MissingDependency:
        raise
    except Exception as error:
        raise CheckpointError(f"{folder}: cannot be read ({type(error).__name__}: {error})") from error
    needed = (INPUT_CHANNELS * pack**2, OUTPUT_CHANNELS * pack**2)
    if found != needed:
        raise CheckpointError(f"{folder}: has {found} channels in and out, {needed} are needed")
    if len(readout) != FEATURE_COUNT:
        raise CheckpointError(f"{folder / SETTINGS}: readout has {len(readout)} numbers, {FEATURE_COUNT} are needed")
    return DepthInpainter(
        network.float(), size=size, scale_mm=scale, readout=readout, pack=pack, sigma_scale=sigma_scale
    )


def _shipped_network(folder: Path, config: Mapping[str, Any]) -> Any:
    from facecom.guidance.shipped_networks import ShippedUNet, read_weights

    return ShippedUNet(config, read_weights(folder / WEIGHTS))


def _diffusers_network(folder: Path, _: Mapping[str, Any]) -> Any:
    diffusers = need("diffusers", extra="guidance")
    return diffusers.UNet2DModel.from_pretrained(folder, use_safetensors=True, local_files_only=True)
