"""Lines of `name : meaning` in a docstring are a list of parameters, also without a heading above them."""

from __future__ import annotations

import re
from typing import Any

ITEM = re.compile(r"[*\w]+(?:, [*\w]+)* : \S")
SECTION = re.compile(r"-{3,}\s*$")


def setup(app: Any) -> dict[str, bool]:
    """Run before napoleon reads the docstring."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", on_docstring, priority=100)
    return {"parallel_read_safe": True}


def on_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Put the heading in, in place."""
    lines[:] = with_heading(lines)


def with_heading(lines: list[str]) -> list[str]:
    """The lines with `Parameters` above the first paragraph that is such a list and stands in no section.

    Examples
    --------
    >>> with_heading(["Sum.", "", "left, right : numbers"])[2:]
    ['Parameters', '----------', 'left, right : numbers']
    >>> with_heading(["Sum of two : no list."])
    ['Sum of two : no list.']
    """
    for k, line in enumerate(lines):
        if SECTION.match(line):
            break
        if k and not lines[k - 1].strip() and ITEM.match(line):
            return [*lines[:k], "Parameters", "----------", *lines[k:]]
    return lines
