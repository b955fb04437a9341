"""Folders that hold a model: model.json with format, version and hash, and weights.safetensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facecom.errors import CheckpointError
from facecom.model.linear import DESCRIPTION, FORMAT, WEIGHTS, LinearGenerator

if TYPE_CHECKING:
    from facecom.model.generator import FaceGenerator

NETWORK_FORMAT = "facecom-generator"


def load_generator(directory: str | Path | None = None) -> LinearGenerator | FaceGenerator:
    """The model that a folder holds, linear or network; without a folder the shipped one.

    Raises
    ------
    CheckpointError
        When a file is missing, damaged, of another version or of another kind; names the file and the reason.
    """
    if directory is None:
        return LinearGenerator.load()
    path = Path(directory) / DESCRIPTION
    kind = read_json(path).get("format")
    if kind == FORMAT:
        return LinearGenerator.load(directory)
    if kind == NETWORK_FORMAT:
        from facecom.model.generator import FaceGenerator

        return FaceGenerator.load(directory)
    raise CheckpointError(f"{path}: its format is {kind!r}, not a model that facecom reads")


def write_checkpoint(
    folder: Path, arrays: Mapping[str, np.ndarray], description: Mapping[str, Any], *, format_name: str, version: int
) -> None:
    """Write both files; the description gains format, version and the hash of the weights."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    text = {**description, "format": format_name, "version": version, "sha256": hashlib.sha256(data).hexdigest()}
    (folder / WEIGHTS).write_bytes(data)
    (folder / DESCRIPTION).write_text(json.dumps(text, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_checkpoint(folder: Path, *, format_name: str, version: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Weights and description of a folder, checked.

    Raises
    ------
    CheckpointError
        When a file is missing, damaged, of another version or of another kind; names the file and the reason.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = folder / DESCRIPTION
    text = read_json(path)
    if text.get("format") != format_name:
        raise CheckpointError(f"{path}: its format is {text.get('format')!r}, expected {format_name!r}")
    if text.get("version") != version:
        raise CheckpointError(f"{path}: version {text.get('version')!r}; this facecom reads version {version}")
    weights = folder / WEIGHTS
    try:
        data = weights.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{weights}: the weights cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != text.get("sha256"):
        raise CheckpointError(f"{weights}: damaged or truncated, its hash is not the one in {DESCRIPTION}")
    try:
        return load(data), text
    except SafetensorError as error:
        raise CheckpointError(f"{weights}: not a safetensors file ({error})") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises
    ------
    CheckpointError
        When the file is missing or holds something else.
    """
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: the model's description cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: damaged, it is not JSON ({error})") from error
    if not isinstance(text, dict):
        raise CheckpointError(f"{path}: damaged, it does not hold an object")
    return text
