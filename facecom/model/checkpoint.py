"""Which sort of model a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facecom.errors import CheckpointError
from facecom.model.linear.generator import KIND, LinearGenerator
from facecom.model.storage import DESCRIPTION, read_json

if TYPE_CHECKING:
    from facecom.model.adapters.transferred import TransferredGenerator
    from facecom.model.network.generator import FaceGenerator


def load_checkpoint(directory: str | Path | None = None) -> LinearGenerator | FaceGenerator | TransferredGenerator:
    """The model that a folder holds, linear, network or carried; without a folder the shipped one.

    Raises
    ------
    CheckpointError
        When a file is missing, damaged, of another version or of another kind; names the file and the reason.

    Examples
    --------
    >>> load_generator().code_size == LinearGenerator.load().code_size
    True
    """
    if directory is None:
        return LinearGenerator.load()
    folder = Path(directory)
    kind = read_json(folder / DESCRIPTION).get("format")
    if kind == KIND.format:
        return LinearGenerator.load(folder)
    from facecom.model.adapters import transferred
    from facecom.model.network import generator

    if kind == generator.KIND.format:
        return generator.FaceGenerator.load(folder)
    if kind == transferred.KIND.format:
        return transferred.TransferredGenerator.load(folder)
    raise CheckpointError(f"{folder / DESCRIPTION}: its format is {kind!r}, not a model that facecom reads")
