"""Which sort of model a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facecom.errors import CheckpointError
from facecom.model import linear
from facecom.model.linear import LinearGenerator
from facecom.model.stored import DESCRIPTION, read_json

if TYPE_CHECKING:
    from facecom.model.adapters.carried import CarriedGenerator
    from facecom.model.generator import FaceGenerator


def load_generator(directory: str | Path | None = None) -> LinearGenerator | FaceGenerator | CarriedGenerator:
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
    if kind == linear.KIND.format:
        return LinearGenerator.load(folder)
    from facecom.model import generator
    from facecom.model.adapters import carried

    if kind == generator.KIND.format:
        return generator.FaceGenerator.load(folder)
    if kind == carried.KIND.format:
        return carried.CarriedGenerator.load(folder)
    raise CheckpointError(f"{folder / DESCRIPTION}: its format is {kind!r}, not a model that facecom reads")
