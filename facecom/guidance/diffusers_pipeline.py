"""Inpaint the hole of a view with a diffusers pipeline that the user names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecom.errors import CheckpointError, need
from facecom.geometry.mesh import Bools, Floats, unit
from facecom.guidance.inpainting import InpaintedView, RenderPair, check_unmasked_unchanged
from facecom.guidance.rendering import Render
from facecom.guidance.settings import GuidanceSettings
from facecom.guidance.targets import depth_from_normals

ByteImage = NDArray[np.uint8]
GUIDANCE_WORDS = ("auto", "none", "shipped")
COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class PipelineSettings:
    """Which pipeline, and how it is called."""

    source: str
    """Folder in diffusers' format, or the id of a Hub repository."""
    revision: str | None = None
    """Commit of the Hub's repository, 40 hexadecimal digits; not needed for a folder."""
    download: bool = False
    """Whether the network may be used; without it a Hub id is looked up in the local cache alone."""
    prompt: str = "normal map of a human face, smooth, symmetric"
    negative_prompt: str = "text, glasses, hair"
    size: int = 512
    """Side in pixels of the images that the pipeline works on."""
    steps: int = 30
    guidance_scale: float = 5.0
    sigma_mm: float = 2.0
    """Standard deviation of the depth that its images give; a pipeline says none itself."""
    max_change: float = 0.25
    """Mean change of kept pixels, of 0..1, from which on the answer is no continuation of the image."""


def named_pipeline(text: str) -> PipelineSettings:
    """The settings that a word on the command line stands for: a folder, or owner/name@commit.

    Raises
    ------
    ValueError
        When it is neither; names the words that are known as well.

    Examples
    --------
    >>> named_pipeline("owner/name@" + 40 * "0").source
    'owner/name'
    """
    if Path(text).is_dir():
        return PipelineSettings(source=text)
    source, _, revision = text.partition("@")
    if REPOSITORY.fullmatch(source) and COMMIT.fullmatch(revision):
        return PipelineSettings(source=source, revision=revision)
    raise ValueError(
        "guidance must be auto, none, shipped, a folder with an inpainting pipeline, or a Hub id with the 40 digits of "
        f"its commit (owner/name@commit), got {text!r}"
    )


def check_source(source: Any) -> None:
    """Raise unless `source` says how guidance is to be made.

    Parameters
    ----------
    source : "auto", "none", "shipped", `GuidanceSettings`, `PipelineSettings`, or what `named_pipeline` takes for them

    Raises
    ------
    ValueError
        Naming the words that are known.

    Examples
    --------
    >>> check_source("shipped")
    """
    if not isinstance(source, PipelineSettings | GuidanceSettings) and source not in GUIDANCE_WORDS:
        named_pipeline(str(source))


def load_pipeline(settings: PipelineSettings) -> Any:
    """The inpainting pipeline, weights from safetensors alone.

    Raises
    ------
    ValueError
        When a Hub id comes without the commit.
    CheckpointError
        When it cannot be had or read; names the pipeline and the reason.
    """
    diffusers = need("diffusers", extra="guidance")
    local = Path(settings.source).is_dir()
    if not local and not COMMIT.fullmatch(settings.revision or ""):
        raise ValueError(f"{settings.source}: is no folder; for a Hub id give revision, the 40 digits of a commit")
    try:
        return diffusers.AutoPipelineForInpainting.from_pretrained(
            settings.source,
            revision=None if local else settings.revision,
            use_safetensors=True,
            local_files_only=local or not settings.download,
        )
    except Exception as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise CheckpointError(
            f"pipeline {settings.source}: cannot be had ({type(error).__name__}: {line}); check the folder, or the id, "
            "the commit and the local cache, or allow the download"
        ) from error


def inpaint_image(
    pipeline: Any, image: ByteImage, mask: Bools, *, settings: PipelineSettings, seed: int = 0
) -> ByteImage:
    """Let the pipeline fill the masked pixels; all others come back bit by bit.

    Parameters
    ----------
    pipeline : called as diffusers' inpainting pipelines are
    image : (H, W, 3) uint8
    mask : (H, W) bool

    Raises
    ------
    ValueError
        When the mask is empty or covers everything, or when the pipeline returns another size or an image that has
        little to do with the kept pixels; names the pipeline.
    """
    import torch
    from PIL import Image

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.shape[:2] != mask.shape:
        raise ValueError(f"expected (H, W, 3) bytes and a mask (H, W), got {image.shape} and {mask.shape}")
    if not mask.any() or mask.all():
        raise ValueError("the mask must cover something and leave something")
    answer = pipeline(
        prompt=settings.prompt,
        negative_prompt=settings.negative_prompt,
        image=Image.fromarray(image),
        mask_image=Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))),
        height=image.shape[0],
        width=image.shape[1],
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance_scale,
        generator=torch.Generator().manual_seed(seed),
    ).images[0]
    inpainted = _checked_answer(np.asarray(answer), image, mask, settings)
    whole = np.where(mask[..., None], inpainted, image)
    check_unmasked_unchanged(image, whole, mask, who=f"pipeline {settings.source}")
    return whole


def _checked_answer(inpainted: np.ndarray, image: ByteImage, mask: Bools, settings: PipelineSettings) -> ByteImage:
    """A pipeline's answer, where it continues the image."""
    if inpainted.shape != image.shape or inpainted.dtype != np.uint8:
        raise ValueError(
            f"pipeline {settings.source} returned an image of {inpainted.shape} {inpainted.dtype}, "
            f"asked for {image.shape}"
        )
    change = float(np.abs(inpainted.astype(float) - image)[~mask].mean() / 255)
    if change > settings.max_change:
        raise ValueError(
            f"pipeline {settings.source} changed the kept pixels by {change:.0%} on average: no continuation"
        )
    return inpainted


def inpaint_normals(
    pipeline: Any, scan: Render, mask: Bools, *, settings: PipelineSettings, seed: int = 0
) -> tuple[Floats, Floats]:
    """Depth (H, W), mm, and normals (H, W, 3) with the hole filled: normals by the pipeline, depth from them.

    Raises
    ------
    ValueError
        As `inpaint_image`.
    """
    from PIL import Image

    camera = scan.camera
    normal_map = np.round(255 * (0.5 + 0.5 * scan.normals @ camera.axes.T)).astype(np.uint8)
    large = (settings.size, settings.size)
    hole = np.asarray(Image.fromarray(mask).resize(large, Image.Resampling.NEAREST))
    image = np.asarray(Image.fromarray(normal_map).resize(large, Image.Resampling.BICUBIC))
    inpainted = inpaint_image(pipeline, image, hole, settings=settings, seed=seed)
    small = np.asarray(Image.fromarray(inpainted).resize(mask.shape[::-1], Image.Resampling.BOX))
    normals = np.where(mask[..., None], unit(small / 127.5 - 1.0) @ camera.axes, scan.normals)
    depth = depth_from_normals(np.where(mask, np.nan, scan.depth), normals, mask, camera)
    check_unmasked_unchanged(scan.normals, normals, mask, who=f"pipeline {settings.source}")
    check_unmasked_unchanged(scan.depth, depth, mask, who=f"pipeline {settings.source}")
    return depth, normals


@dataclass(frozen=True, eq=False)
class PipelineInpainter:
    """A diffusers pipeline as an `Inpainter`.

    Parameters
    ----------
    pipeline : called as diffusers' inpainting pipelines are
    settings : how it is called
    size : side of the views in pixels, which the pipeline's images are reduced to
    seed : of its noise
    """

    pipeline: Any
    settings: PipelineSettings
    size: int
    seed: int = 0

    def fill(self, scan: Render, face: Render, mask: Bools, *, other: RenderPair | None = None) -> InpaintedView:
        """Depth, normals and the settings' sigma of one view with the masked pixels filled."""
        depth, normals = inpaint_normals(self.pipeline, scan, mask, settings=self.settings, seed=self.seed)
        return InpaintedView(depth, normals, np.where(mask, self.settings.sigma_mm, 0.0), mask)
