"""Limits of one server, against clients that would take the machine from the others."""

from __future__ import annotations

from dataclasses import dataclass, fields

from facecom.apps.isolation.process import ProcessLimits


@dataclass(frozen=True)
class Limits:
    """Upper limits for uploads, sessions and jobs.

    Parameters
    ----------
    upload_mb : size of one uploaded file, in units of 1e6 bytes
    uploads : files that one page may upload
    vertices : vertices of a scan
    sessions : pages open at once
    jobs : jobs in the queue, the running one included
    stored_sessions : sessions stored while their page is closed
    keep_minutes : minutes for which such a session is stored
    samples : posterior samples that the slider offers
    reads : scans read at the same time, each in a process of its own
    read_seconds, read_memory_mb : bounds of such a process; see `ProcessLimits`
    job_seconds, job_memory_mb : bounds of the process that finds or completes the face

    Raises
    ------
    ValueError
        When one of them is below 1.

    Examples
    --------
    >>> Limits(upload_mb=2).upload_bytes
    2000000
    """

    upload_mb: int = 60
    uploads: int = 30
    vertices: int = 400_000
    sessions: int = 8
    jobs: int = 8
    stored_sessions: int = 8
    keep_minutes: int = 20
    samples: int = 8
    reads: int = 2
    read_seconds: int = 120
    read_memory_mb: int = 3000
    job_seconds: int = 900
    job_memory_mb: int = 12_000

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) < 1:
                raise ValueError(f"{each.name} must be at least 1, got {getattr(self, each.name)}")

    @property
    def upload_bytes(self) -> int:
        """Largest size of one uploaded file, bytes."""
        return self.upload_mb * 1_000_000

    @property
    def reading(self) -> ProcessLimits:
        """Bounds of a process that reads a scan."""
        return ProcessLimits(seconds=self.read_seconds, memory_mb=self.read_memory_mb)

    @property
    def working(self) -> ProcessLimits:
        """Bounds of a process that finds or completes the face."""
        return ProcessLimits(seconds=self.job_seconds, memory_mb=self.job_memory_mb)
