"""Models on the Hugging Face Hub and in local folders, where huggingface_hub is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facecom.errors import CheckpointError, need

SNAPSHOT_OPTIONS = ("revision", "cache_dir", "force_download", "local_files_only", "token")
"""Options of `huggingface_hub.snapshot_download` that are handed on."""


class _WithoutHub:
    """Stands in where huggingface_hub is missing: everything but the Hub works."""

    def save_pretrained(self, *_: Any, **__: Any) -> None:
        """Say what to install."""
        need("huggingface_hub", extra="train")

    push_to_hub = save_pretrained

    @classmethod
    def from_pretrained(cls, *_: Any, **__: Any) -> Any:
        """Say what to install."""
        need("huggingface_hub", extra="train")


def hub_mixin() -> type:
    """`PyTorchModelHubMixin`, or a stand-in that says what to install."""
    try:
        from huggingface_hub import PyTorchModelHubMixin
    except ModuleNotFoundError:
        return _WithoutHub
    return PyTorchModelHubMixin


def snapshot(model_id: str, options: Mapping[str, Any]) -> Path:
    """The local folder of a model: the folder itself, or a Hub repository's files at the asked revision.

    Nothing is downloaded for a folder that exists, nor with `local_files_only`.

    Raises
    ------
    CheckpointError
        When there is neither a folder nor a repository of that name within reach.
    """
    if Path(model_id).is_dir():
        return Path(model_id)
    hub = need("huggingface_hub", extra="train")
    try:
        chosen = {name: value for name, value in options.items() if name in SNAPSHOT_OPTIONS}
        return Path(hub.snapshot_download(model_id, **chosen))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{model_id}: neither a folder nor a model on the Hub within reach ({reason})") from error
