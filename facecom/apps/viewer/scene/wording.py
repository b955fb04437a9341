"""Sentences of the library as a page shows them: without markup, and with the names of its controls."""

from __future__ import annotations

import re

CONTROL_NAMES = {
    "--unit": "unit",
    "--mm-per-unit": "mm per unit",
    "--missing": "mark as missing",
    "--doubted": "mark as doubted",
}
"""What options of the command line are called on the page."""


def plain_text(text: str) -> str:
    """Text without markup: each character that the page's markdown might interpret becomes a space.

    Options of the command line get the names of the page's controls.

    Examples
    --------
    >>> plain_text("a_b.ply is {alert(1)} <b>damaged</b>")
    'a_b.ply is  alert(1)   b damaged /b '
    >>> plain_text("give --mm-per-unit")
    'give mm per unit'
    """
    text = re.sub(r"--[a-z][a-z-]*", lambda found: CONTROL_NAMES.get(found[0], found[0]), text)
    return re.sub(r"[^\w .,;:()/%+=°·'-]", " ", text)
