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
    """Not observed; the scan shows the other side of the face, from which it was derived too."""
    MODEL = 2
    """Not observed; from the face model and what surrounds the hole."""
    GUIDED = 3
    """Not observed; from the face model and an inpainted image."""
    SYNTHESISED = 4
    """Not observed, and with synthesised skin relief added."""

    @property
    def label(self) -> str:
        """The name as reports spell it."""
        return self.name.lower()
