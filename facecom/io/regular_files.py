"""Bytes of small files of unknown origin: regular files alone, and no more bytes than asked for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def regular_bytes(path: str | os.PathLike[str], *, most_bytes: int) -> bytes:
    """The content of a regular file of at most `most_bytes`.

    A device may never end and a FIFO may never begin, so neither is read.

    Raises
    ------
    OSError
        When there is no such file, it may not be read, is no regular file, or is larger; `strerror` says which.

    Examples
    --------
    >>> regular_bytes("/dev/null", most_bytes=10)
    Traceback (most recent call last):
    OSError: [Errno 22] it is not a regular file: '/dev/null'
    """
    where = Path(path)
    try:
        descriptor = os.open(where, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError:  # a zero byte in the name
        raise OSError(errno.EINVAL, "it is not a name of a file", repr(str(where))) from None
    with open(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(where))
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes / 1e6:.0f} MB", str(where))
    return data
