"""What one server lets its visitors do, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Limits:
    """Bounds that keep one visitor from taking the machine from the others.

    Parameters
    ----------
    upload_mb : size of one uploaded file at most, in units of 1e6 bytes
    uploads : files that one page may upload
    vertices : vertices of a scan at most
    sessions : pages open at once
    waiting : jobs in line at once, the running one included
    kept : sessions kept while their page is away
    keep_minutes : how long
    samples : faces drawn from the posterior for the slider

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
    waiting: int = 8
    kept: int = 8
    keep_minutes: int = 20
    samples: int = 8

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) < 1:
                raise ValueError(f"{each.name} must be at least 1, got {getattr(self, each.name)}")

    @property
    def upload_bytes(self) -> int:
        """Size of one uploaded file at most."""
        return self.upload_mb * 1_000_000
