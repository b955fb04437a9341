"""Filter of websocket messages: an allow-list of types, and uploads within their limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from facecom.apps.viewer.http.limits import Limits

ALLOWED_MESSAGES = frozenset(
    {
        "ViewerCameraMessage",
        "GuiUpdateMessage",
        "ScenePointerMessage",
        "SceneNodeClickMessage",
        "SceneNodeDragMessage",
        "TransformControlsUpdateMessage",
        "TransformControlsDragStartMessage",
        "TransformControlsDragEndMessage",
        "FileTransferPartAck",
    }
)
"""Types of viser 1.1 that this page needs, besides uploads; viser's public sharing tunnel is not among them."""
UPLOAD_START, UPLOAD_PART, TRANSFER_ID = "FileTransferStartUpload", "FileTransferPart", "transfer_uuid"
MAX_MESSAGE_BYTES = 4_000_000
"""Longest websocket message; browsers send files in parts of half a megabyte."""
MAX_UPLOAD_PARTS = 4096
REFUSED = "\0"
"""Parts the name of a refused upload from the word for why: "size", "count" or "busy"; no file name has it."""


@dataclass(frozen=True)
class Upload:
    """An upload in progress: its identifier, its declared size in bytes and parts, and what was received."""

    transfer_id: str
    size_bytes: int
    n_parts: int
    received_parts: frozenset[int] = frozenset()
    received_bytes: int = 0


@dataclass
class MessageFilter:
    """Filters the messages of one connection.

    Parameters
    ----------
    limits : Limits

    Examples
    --------
    >>> MessageFilter(Limits()).admit({"type": "ShareUrlRequest"}) is None
    True
    >>> MessageFilter(Limits()).admit({"type": "GuiUpdateMessage", "uuid": "a"})["uuid"]
    'a'
    """

    limits: Limits
    upload: Upload | None = field(default=None, init=False)
    n_uploads: int = field(default=0, init=False)

    def admit(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The message to pass on, None for one that is dropped.

        An upload that is refused is passed on as one of no bytes whose name holds the reason, so that the page can
        say so.
        """
        kind = message.get("type")
        if kind == UPLOAD_START:
            return self._start(message)
        if kind == UPLOAD_PART:
            return self._part(message)
        return message if kind in ALLOWED_MESSAGES else None

    def _start(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        size, n_parts = _non_negative(message.get("size_bytes")), _non_negative(message.get("part_count"))
        transfer_id = message.get(TRANSFER_ID)
        if size is None or n_parts is None or n_parts > MAX_UPLOAD_PARTS or not isinstance(transfer_id, str):
            return None
        self.n_uploads += 1
        reason = self._refusal(size)
        if reason is not None:
            name = f"{message.get('filename')}{REFUSED}{reason}"
            return {**message, "filename": name, "size_bytes": 0, "part_count": 0}
        self.upload = Upload(transfer_id, size, n_parts) if n_parts else None
        return message

    def _refusal(self, size: int) -> str | None:
        """Why an upload of so many bytes is refused."""
        if self.n_uploads > self.limits.uploads:
            return "count"
        if size > self.limits.upload_bytes:
            return "size"
        return None if self.upload is None else "busy"

    def _part(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        upload, content, index = self.upload, message.get("content"), _non_negative(message.get("part_index"))
        if upload is None or message.get(TRANSFER_ID) != upload.transfer_id or not isinstance(content, bytes):
            return None
        received = upload.received_bytes + len(content)
        if index is None or index >= upload.n_parts or index in upload.received_parts or received > upload.size_bytes:
            return None
        upload = replace(upload, received_parts=upload.received_parts | {index}, received_bytes=received)
        self.upload = upload if len(upload.received_parts) < upload.n_parts else None
        return message


def _non_negative(value: Any) -> int | None:
    """The value where it is an integer of at least zero, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
