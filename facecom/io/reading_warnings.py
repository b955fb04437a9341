"""What a reader has to say beside what it read: kept for the caller who asks for it, logged for every other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

log = logging.getLogger(__name__)

_collected: ContextVar[list[str] | None] = ContextVar("warnings of readers", default=None)


def warn(text: str) -> None:
    """Say what is missing or was guessed: to the innermost `collecting`, else to the log."""
    collected = _collected.get()
    if collected is None:
        log.warning("%s", text)
    elif text not in collected:
        collected.append(text)


@contextmanager
def collecting() -> Iterator[list[str]]:
    """Context in which warnings of readers come into a list, each once.

    Examples
    --------
    >>> with collecting() as found:
    ...     warn("no colours")
    >>> found
    ['no colours']
    """
    found: list[str] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)
