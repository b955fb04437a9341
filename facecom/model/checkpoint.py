"""A face model by name or folder, whichever kind it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from facecom.errors import CheckpointError
from facecom.model.linear.generator import KIND as LINEAR
from facecom.model.linear.generator import LinearGenerator
from facecom.model.protocol import FaceModel
from facecom.model.storage import DESCRIPTION, read_json

SHIPPED = "shipped"
"""The name of the model that comes with the package."""


def load_model(name_or_folder: str | Path = SHIPPED) -> FaceModel:
    """The shipped face model, or the one that a folder holds: linear, network or transferred.

    Parameters
    ----------
    name_or_folder : "shipped", or a folder that a model's `save` wrote

    Raises
    ------
    CheckpointError
        When there is no such name or folder, or a file is missing, damaged, of another version or of another kind;
        names the file, the reason, and what is known.

    Examples
    --------
    >>> load_model().code_size == LinearGenerator.load().code_size
    True
    """
    if name_or_folder == SHIPPED:
        return LinearGenerator.load()
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise CheckpointError(f"{name_or_folder}: is neither a folder nor the name of a model; {_known()}")
    format_name = str(read_json(folder / DESCRIPTION).get("format"))
    if format_name not in _LOADERS:
        raise CheckpointError(f"{folder / DESCRIPTION}: its format is {format_name!r}, not a face model's; {_known()}")
    return _LOADERS[format_name](folder)


def _load_network(folder: Path) -> FaceModel:
    from facecom.model.network.generator import FaceGenerator

    return FaceGenerator.load(folder)


def _load_transferred(folder: Path) -> FaceModel:
    from facecom.model.adapters.transferred import TransferredGenerator

    return TransferredGenerator.load(folder)


# The formats stand here in words, as importing the modules that define them imports torch.
_LOADERS: Mapping[str, Callable[[Path], FaceModel]] = {
    LINEAR.format: LinearGenerator.load,
    "facecom-generator": _load_network,
    "facecom-carried": _load_transferred,
}


def _known() -> str:
    return f"give {SHIPPED!r}, or a folder whose {DESCRIPTION} is of the format {', '.join(_LOADERS)}"
