"""A bound on the log, which clients must not be able to fill."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MAX_RECORDS, PERIOD_S = 30, 60.0
"""Records that are logged in a period; of what comes after them only the number is told."""
LIMITED_LOGGERS = (
    "websockets",
    "websockets.server",
    "asyncio",
    "facecom.apps.isolation.process",
    "facecom.apps.viewer.http.server",
    "facecom.apps.viewer.session.job_controller",
    "facecom.apps.viewer.session.job_queue",
)
"""Loggers to which what a client sends gives cause."""


class LogLimit(logging.Filter):
    """Drops the records beyond a number in each period, and says with the first of the next how many there were.

    Parameters
    ----------
    max_records : int, in a period
    period_s : float, seconds
    clock : in seconds

    Examples
    --------
    >>> limit = LogLimit(max_records=1)
    >>> record = logging.makeLogRecord({"msg": "dropped"})
    >>> limit.filter(record), limit.filter(record)
    (True, False)
    """

    def __init__(
        self,
        *,
        max_records: int = MAX_RECORDS,
        period_s: float = PERIOD_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._max_records, self._period_s, self._clock = max_records, period_s, clock
        self._lock = threading.Lock()
        self._begin, self._count = clock(), 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is logged."""
        with self._lock:
            left_out = 0
            if self._clock() - self._begin >= self._period_s:
                left_out = max(self._count - self._max_records, 0)
                self._begin, self._count = self._clock(), 0
            self._count += 1
            if left_out:
                record.msg, record.args = f"{record.getMessage()} ({left_out:,} messages before it were left out)", ()
            return self._count <= self._max_records


@contextmanager
def log_limited() -> Iterator[LogLimit]:
    """Bound what `LIMITED_LOGGERS` log, all of them together, while the block runs."""
    limit = LogLimit()
    for name in LIMITED_LOGGERS:
        logging.getLogger(name).addFilter(limit)
    try:
        yield limit
    finally:
        for name in LIMITED_LOGGERS:
            logging.getLogger(name).removeFilter(limit)
