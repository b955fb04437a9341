"""How our docstrings are written, made into what autodoc and napoleon read.

`name : meaning` holds shape, unit and meaning in one sentence that may go on below; napoleon would take its first line
for a type. A list of such lines is one also where no heading stands above it. A colon in the docstring of an attribute
is a colon; napoleon would take what stands before it for a type. Bars and underscores are no markup.
"""

from __future__ import annotations

import re
from typing import Any

ITEM = re.compile(r"(?P<names>[*\w]+(?:, [*\w]+)*) : (?P<text>\S.*)")
ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
MARKUP = re.compile(r"\||(?<=\w)_(?!\w)")
RULE = re.compile(r"-{3,}\s*$")
ATTRIBUTES = ("attribute", "data", "property")
LISTS = ("Parameters", "Other Parameters", "Attributes", "Returns", "Yields")
_kept: dict[str, list[str]] = {}


def setup(app: Any) -> dict[str, bool]:
    """Run before napoleon reads the docstring."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", before_napoleon, priority=100)
    app.connect("autodoc-process-docstring", after_napoleon, priority=900)
    app.connect("autodoc-process-signature", on_signature)
    return {"parallel_read_safe": True}


def before_napoleon(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Change the docstring in place; that of an attribute is kept for `after_napoleon`."""
    if what in ATTRIBUTES:
        _kept[name] = list(lines)
    else:
        lines[:] = with_meanings(with_heading(without_markup(lines)))


def after_napoleon(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Give an attribute its docstring back."""
    if what in ATTRIBUTES:
        lines[:] = without_markup(_kept.pop(name))


def on_signature(app: Any, what: str, name: str, obj: Any, options: Any, *signature: Any) -> tuple[Any, ...]:
    """Signatures as they read in the source: `...` for a default that is made anew each time, short names of arrays."""
    return tuple(text and ALIAS.sub(r"\1", text).replace("<factory>", "...") for text in signature)


def without_markup(lines: list[str]) -> list[str]:
    """Bars and names that end in `_` as they are, beside code and examples: |x| is a length and no substitution.

    Examples
    --------
    >>> without_markup(["|x| of left_ and `|y|`", ">>> a | b", "3"])
    ['\\\\|x\\\\| of left\\\\_ and `|y|`', '>>> a | b', '3']
    """
    out, example = [], False
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        parts = line.split("`")
        parts[::2] = [MARKUP.sub(r"\\\g<0>", part) for part in parts[::2]]
        out.append(line if example else "`".join(parts))
    return out


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
        if RULE.match(line):
            break
        if k and not lines[k - 1].strip() and ITEM.match(line):
            return [*lines[:k], "Parameters", "----------", *split_items(lines[k:])]
    return lines


def split_items(lines: list[str]) -> list[str]:
    """Each item of a paragraph on a line of its own, what goes on below it indented.

    Examples
    --------
    >>> split_items(["code : (M,); pose : of the scan;", "terms : by name", "and cost"])
    ['code : (M,)', 'pose : of the scan', 'terms : by name', '    and cost']
    """
    out: list[str] = []
    for k, line in enumerate(lines):
        if not line.strip():
            return out + lines[k:]
        more = any(ITEM.match(below) for below in lines[k + 1 : k + 2])
        out += [part if ITEM.match(part) else f"    {part.strip()}" for part in parts_of(line)]
        out[-1] = out[-1].rstrip(";") if more else out[-1]
    return out


def parts_of(line: str) -> list[str]:
    """The items of one line, parted by semicolons."""
    return re.split(r"; (?=[*\w]+(?:, [*\w]+)* : )", line)


def with_meanings(lines: list[str]) -> list[str]:
    """Items of the sections in `LISTS` as a name and, below it, all of its meaning.

    An item whose lines below begin with a capital has a type of its own and stays as it is.

    Examples
    --------
    >>> with_meanings(["Parameters", "----------", "scan : a path, or", "    a Mesh", "unit : its unit"])[2:]
    ['scan', '    a path, or', '    a Mesh', 'unit', '    its unit']
    >>> with_meanings(["Parameters", "----------", "uv : (V, 2) float", "    Texture coordinates."])[2:]
    ['uv : (V, 2) float', '    Texture coordinates.']
    """
    out: list[str] = []
    section = ""
    for k, line in enumerate(lines):
        below = lines[k + 1] if k + 1 < len(lines) else ""
        if RULE.match(below):
            section = line.strip()
        item = ITEM.fullmatch(line)
        typed = below.startswith("    ") and below.strip()[:1].isupper()
        if item and section in LISTS and not typed:
            for part in parts_of(line):
                names, _, text = part.partition(" : ")
                out += [names, f"    {text}"]
        else:
            out.append(line)
    return out
