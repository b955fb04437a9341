"""XML of unknown origin as a tree: no document types, no more elements and no deeper than is read."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from facecom.geometry.mesh import Floats
from facecom.io.parsed_mesh import FileFormatError, refuse_doctype

MAX_ELEMENTS, MAX_DEPTH = 500_000, 200
"""Elements at most, each of some hundred bytes, and how deep they may lie in each other."""

NUMBERS_AT_ONCE = 1 << 20
"""Characters of a list of numbers that are parted at once: a part takes twenty times its place while it is read."""
_BLANK = re.compile(r"\s")


class _Builder:
    """Makes the tree element by element, under names without their namespace."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._elements = self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._depth += 1
        if self._elements > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            raise FileFormatError("has more elements of XML than are read; export the scan alone")
        self._builder.start(local(name), {local(key): value for key, value in attributes.items()})

    def end(self, name: str) -> None:
        self._depth -= 1
        self._builder.end(local(name))

    def text(self, characters: str) -> None:
        self._builder.data(characters)

    def close(self) -> Element:
        root: Element = self._builder.close()
        return root


def local(name: str) -> str:
    """A name without its namespace, which stands before the last brace."""
    return name.rpartition("}")[2]


def parse_xml(text: bytes, *, what: str) -> Element:
    """The root of the tree that XML describes.

    Parameters
    ----------
    text : the XML
    what : whose XML it is, for the message

    Raises
    ------
    FileFormatError
        When it is none, declares a document type, or is larger than is read.

    Examples
    --------
    >>> parse_xml(b"<a xmlns='b'><c>1</c></a>", what="an example").findtext("c")
    '1'
    """
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, LookupError) as error:  # an encoding that nobody knows
        raise FileFormatError(f"is no XML of {what} ({str(error)[:60]}); copy or export it again") from None
    return builder.close()


def text_numbers(text: str) -> Floats:
    """The numbers of a list parted by blanks, (N,).

    Raises
    ------
    ValueError
        When something else stands among them.

    Examples
    --------
    >>> text_numbers(" 1 2.5\\n-3e2 ").tolist()
    [1.0, 2.5, -300.0]
    """
    parts = [np.zeros(0)]
    at = 0
    while at < len(text):
        found = _BLANK.search(text, at + NUMBERS_AT_ONCE)
        end = found.start() if found else len(text)
        words = text[at:end].split()
        parts.append(np.fromiter(map(float, words), np.float64, len(words)))
        at = end
    return np.concatenate(parts)
