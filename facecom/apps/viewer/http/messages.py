"""What a browser may say over the websocket: a list of words, sizes, and uploads within their bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from facecom.apps.viewer.http.limits import Limits

WORDS = frozenset(
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
"""Messages of viser 1.1 that this page needs, besides uploads; sharing through viser's public tunnel is none."""
START, PART, UUID = "FileTransferStartUpload", "FileTransferPart", "transfer_uuid"
MOST_BYTES = 4_000_000
"""A websocket message is no longer than this; browsers send files in pieces of half a megabyte."""
MOST_PARTS = 4096


@dataclass(frozen=True)
class Upload:
    """An upload on its way: its name on the wire, what was declared, and what has come."""

    transfer: str
    size: int
    parts: int
    seen: frozenset[int] = frozenset()
    come: int = 0


@dataclass
class MessageFilter:
    """Watches what one connection says.

    Parameters
    ----------
    limits : Limits

    Examples
    --------
    >>> Meter(Limits()).admit({"type": "ShareUrlRequest"}) is None
    True
    >>> Meter(Limits()).admit({"type": "GuiUpdateMessage", "uuid": "a"})["uuid"]
    'a'
    """

    limits: Limits
    open: Upload | None = field(default=None, init=False)
    started: int = field(default=0, init=False)

    def admit(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The message as it may go on, or None.

        An upload that is too large goes on as one of no bytes, so that the page can say so.
        """
        word = message.get("type")
        if word == START:
            return self._start(message)
        if word == PART:
            return self._part(message)
        return message if word in WORDS else None

    def _start(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        size, parts, transfer = _count(message.get("size_bytes")), _count(message.get("part_count")), message.get(UUID)
        if size is None or parts is None or parts > MOST_PARTS or not isinstance(transfer, str):
            return None
        self.started += 1
        if self.started > self.limits.uploads or size > self.limits.upload_bytes:
            return {**message, "size_bytes": 0, "part_count": 0}
        if self.open is not None:
            return None
        self.open = Upload(transfer, size, parts) if parts else None
        return message

    def _part(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        now, content, index = self.open, message.get("content"), _count(message.get("part_index"))
        if now is None or message.get(UUID) != now.transfer or not isinstance(content, bytes):
            return None
        if index is None or index >= now.parts or index in now.seen or now.come + len(content) > now.size:
            return None
        now = replace(now, seen=now.seen | {index}, come=now.come + len(content))
        self.open = now if len(now.seen) < now.parts else None
        return message


def _count(value: Any) -> int | None:
    """The value where it is a whole number of at least zero."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
