"""What a visitor says of the unit of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from facecom.scan.units import UnitChoice, check_unit

GIVEN_LENGTH = "mm per unit"
"""The choice beside the words for units: a length is typed in."""
UNIT_WORDS: tuple[str, ...] = ("auto", *(word for word in get_args(UnitChoice) if word != "auto"), GIVEN_LENGTH)
"""What can be chosen: the words of `facecom.complete`, then a length."""


@dataclass(frozen=True)
class ScanUnit:
    """What a visitor says of the unit of a scan: the words of `facecom.complete`.

    Examples
    --------
    >>> ScanUnit("inch").mm_per_unit is None
    True
    """

    unit: UnitChoice = "auto"
    mm_per_unit: float | None = None

    @classmethod
    def chosen(cls, word: Any, mm_per_unit: Any) -> ScanUnit:
        """From what a page sent: one of `UNIT_WORDS`, and the length that counts for the last of them.

        Raises
        ------
        ValueError
            When the word is none of them, or the length is no positive number.

        Examples
        --------
        >>> ScanUnit.chosen("mm per unit", 25.4)
        ScanUnit(unit='auto', mm_per_unit=25.4)
        """
        if word != GIVEN_LENGTH:
            check_unit(word)
            return cls(word)
        if not isinstance(mm_per_unit, int | float) or isinstance(mm_per_unit, bool):
            raise ValueError("mm per unit must be a number; type in how many mm one unit of the scan is")
        check_unit("auto", mm_per_unit)
        return cls("auto", float(mm_per_unit))
