"""Where a vertex comes from: one enumeration for the library, its files and its reports."""

from __future__ import annotations

from enum import IntEnum


class Provenance(IntEnum):
    """Where a vertex comes from. Files hold the number, reports the name in lower case.

    Examples
    --------
    >>> Provenance.MODEL.value, Provenance.MODEL.label
    (2, 'model')
    """

    OBSERVED = 0
    """The scan shows it."""
    MIRRORED = 1
    """Made up; the scan shows the other side of the face, which had a say."""
    MODEL = 2
    """Made up from the face model and what surrounds the hole."""
    GUIDED = 3
    """Made up; an inpainted picture had a say."""
    SYNTHESISED = 4
    """Made up, with synthesised skin relief laid on."""

    @property
    def label(self) -> str:
        """The name as reports spell it."""
        return self.name.lower()
