"""Face parsing: the class of each pixel of a face image, by the shipped SegFormer or another with its classes."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from facecom.errors import CheckpointError, MissingDependency, need
from facecom.geometry.mesh import Bools, Floats, Ints

BACKGROUND = "background"
FACE_NAMES = ("skin", "nose", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")
"""What a parser must know to be of use; further classes (ears, hair, neck, hat) are kept under their own names."""
WEIGHTS = "model.safetensors"
DEFAULT_SIZE = 512
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""How SegFormer's releases normalise their input where preprocessor_config.json does not say."""


@dataclass(frozen=True, eq=False)
class ParsedImage:
    """The parsed image: labels (H, W) int, index into `names`; confidence (H, W) in 0..1 of that label."""

    labels: Ints
    confidence: Floats
    names: tuple[str, ...]

    def mask(self, name: str) -> Bools:
        """Pixels of a class, (H, W).

        Raises
        ------
        ValueError
            When the parser has no such class; the message lists those it has.
        """
        if name not in self.names:
            raise ValueError(f"the parser has no class {name!r}; it has {', '.join(self.names)}")
        return self.labels == self.names.index(name)

    def observed_share(self, rendered: ArrayLike) -> dict[str, float]:
        """Share of each region of the face that is observed, for regions with at least one pixel.

        The shipped parser names what a hole would hold; `rendered` (H, W) says where there is surface.
        """
        surface = np.asarray(rendered, bool)
        found = {name: self.mask(name) for name in self.names if name != BACKGROUND}
        return {name: float(surface[m].mean()) for name, m in found.items() if m.any()}

    def sides_agree(self) -> bool | None:
        """Whether what is called left lies to the right in an upright frontal image; None where neither is found."""
        votes = []
        for part in ("eye", "brow", "ear"):
            if {f"l_{part}", f"r_{part}"} <= set(self.names):
                left, right = self.mask(f"l_{part}"), self.mask(f"r_{part}")
                if left.any() and right.any():
                    votes.append(np.argwhere(left)[:, 1].mean() > np.argwhere(right)[:, 1].mean())
        return bool(np.mean(votes) > 0.5) if votes else None


class FaceParser:
    """A SegFormer and how its input is prepared; the shipped `Parser`.

    Parameters
    ----------
    network : transformers' SegformerForSemanticSegmentation, or anything that answers a batch with `.logits`
    names : class names in the order of the logits
    size : side in pixels that images are resized to
    mean, std : (3,), of the normalisation
    """

    def __init__(
        self, network: Any, names: tuple[str, ...], *, size: int, mean: ArrayLike = 0.5, std: ArrayLike = 0.5
    ) -> None:
        self.network = network.eval()
        self.names = _checked_names(names)
        self.size = size
        self._mean = np.broadcast_to(np.asarray(mean, np.float32), 3)
        self._std = np.broadcast_to(np.asarray(std, np.float32), 3)

    @classmethod
    def from_pretrained(
        cls, source: str | Path | None = None, *, revision: str | None = None, download: bool = False
    ) -> FaceParser:
        """Load a parser: the shipped one, one from a folder, or one from the Hugging Face Hub.

        Parameters
        ----------
        source : folder with config.json and model.safetensors, or a Hub id such as "jonathandinu/face-parsing";
            the shipped parser when not given
        revision : the commit of the Hub's repository, 40 hexadecimal digits: branches and tags move
        download : whether the network may be used; without it a Hub id is looked up in the local cache alone

        Raises
        ------
        CheckpointError
            When weights are missing, damaged, no safetensors, not to be had without network, or of unknown classes.
        ValueError
            When a Hub id comes without the commit.
        MissingDependency
            When transformers is not installed, which the shipped one does not need.
        """
        if source is None:
            return _shipped()
        if Path(source).is_dir():
            return _load(Path(source), _transformers_network)
        return _load(_from_hub(str(source), revision, download), _transformers_network)

    def parse(self, image: ArrayLike) -> ParsedImage:
        """Class of each pixel of an image (H, W, 3) in 0..1.

        Raises
        ------
        ValueError
            When it has another shape, is empty, or holds values outside 0..1.
        """
        import torch
        from torch.nn.functional import interpolate

        image = np.asarray(image, np.float32)
        if image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f"expected an image (height, width, 3), got shape {image.shape}")
        if not (image.min() >= 0 and image.max() <= 1):
            raise ValueError("an image's values must lie in 0..1; divide bytes by 255")
        batch = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
        with torch.inference_mode():
            fitted = interpolate(batch, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False)
            shape = (1, 3, 1, 1)
            mean, std = (torch.from_numpy(v.copy()).reshape(shape) for v in (self._mean, self._std))
            logits = self.network((fitted - mean) / std).logits
            shares = interpolate(logits, image.shape[:2], mode="bilinear", align_corners=False).softmax(dim=1)[0]
            confidence, labels = shares.max(dim=0)
        return ParsedImage(labels.numpy().astype(np.int64), confidence.numpy().astype(float), self.names)


@functools.cache
def _shipped() -> FaceParser:
    with resources.as_file(resources.files("facecom").joinpath("assets", "parser")) as folder:
        return _load(folder, _shipped_network)


def _load(folder: Path, read: Callable[[Path, Mapping[str, Any]], Any]) -> FaceParser:
    config = _read_json(folder / "config.json")
    prepare = _read_json(folder / "preprocessor_config.json", optional=True)
    if config.get("model_type") != "segformer":
        raise CheckpointError(f"{folder}: holds a {config.get('model_type')!r}, a segformer is needed")
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"{folder}: there is no {WEIGHTS}; other formats can run code and are not read")
    names = _names(config.get("id2label"), folder)
    try:
        network = read(folder, config)
    except (CheckpointError, MissingDependency):
        raise
    except Exception as error:
        raise CheckpointError(f"{folder}: the weights cannot be read ({_first_line(error)})") from error
    size = prepare.get("size", DEFAULT_SIZE)
    size = size.get("height", size.get("shortest_edge", DEFAULT_SIZE)) if isinstance(size, Mapping) else size
    mean, std = prepare.get("image_mean", IMAGENET_MEAN), prepare.get("image_std", IMAGENET_STD)
    return FaceParser(network.float(), names, size=int(size), mean=mean, std=std)


def _shipped_network(folder: Path, config: Mapping[str, Any]) -> Any:
    from facecom.guidance.shipped_networks import ShippedSegformer, read_weights

    return ShippedSegformer(config, read_weights(folder / WEIGHTS))


def _transformers_network(folder: Path, _: Mapping[str, Any]) -> Any:
    transformers = need("transformers", extra="guidance")
    with _quiet(transformers):
        network, info = transformers.SegformerForSemanticSegmentation.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    if info["missing_keys"]:
        raise CheckpointError(f"{folder}: weights are missing, such as {sorted(info['missing_keys'])[0]}")
    return network


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without transformers' progress bars and log, which go to stderr."""
    log = transformers.utils.logging
    bars, level = log.is_progress_bar_enabled(), log.get_verbosity()
    log.disable_progress_bar()
    log.set_verbosity_error()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _from_hub(repository: str, revision: str | None, download: bool) -> Path:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise CheckpointError(f"{repository}: is neither a folder nor the id of a Hub repository")
    if revision is None or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise ValueError(f"{repository}: give revision=, the 40 digits of a commit, so that the weights cannot change")
    hub = need("huggingface_hub", extra="guidance")
    try:
        folder = hub.snapshot_download(
            repository,
            revision=revision,
            allow_patterns=["config.json", "preprocessor_config.json", WEIGHTS],
            local_files_only=not download,
        )
    except Exception as error:
        hint = "the network, the id and the revision" if download else "it is in the local cache, or pass download=True"
        raise CheckpointError(
            f"{repository}@{revision[:8]}: cannot be had ({_first_line(error)}); check {hint}"
        ) from error
    return Path(folder)


def _names(id2label: Any, folder: Path) -> tuple[str, ...]:
    """Class names in order, from the model's own table: releases differ in their order."""
    try:
        numbered = {int(k): str(v) for k, v in id2label.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder}: config.json has no id2label, so its classes have no names") from error
    if sorted(numbered) != list(range(len(numbered))):
        raise CheckpointError(f"{folder}: id2label must number the classes from 0 on, got {sorted(numbered)}")
    return tuple(numbered[k] for k in range(len(numbered)))


def _checked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    lost = [name for name in FACE_NAMES if name not in names]
    if lost:
        raise CheckpointError(
            f"the parser's classes ({', '.join(names)}) lack {', '.join(lost)}; it knows other classes than "
            "CelebAMask-HQ's, or its id2label is wrong"
        )
    return names


def _read_json(path: Path, *, optional: bool = False) -> dict[str, Any]:
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if optional:
            return {}
        raise CheckpointError(f"{path}: is missing") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    if not isinstance(text, dict):
        raise CheckpointError(f"{path}: holds no table")
    return text


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
