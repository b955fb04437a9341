"""Lines and tables of numbers in text files, as many programs write them."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facecom.io.parsed_mesh import FileFormatError

MAX_LINES = 20_000_000
"""Lines of a text file at most: about six million vertices and their triangles; each line costs some 80 bytes."""
TEXT_PROBE_BYTES = 4096
"""Bytes from the begin in which text has no zero byte."""
SHOWN_CHARACTERS = 40
"""Characters of a line that an error message shows."""
UTF8_MARK, _UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
# Bounded repeats: a line of a million brackets must not cost its square.
_NOT_A_NUMBER = re.compile(rb"[-+]?(?:1\.#(?:QNAN|SNAN|IND)\d{0,20}|nan\(\w{0,20}\))", re.I)
_INFINITE = re.compile(rb"1\.#(?:INF|J)\d{0,20}", re.I)
_COMMENT = re.compile(rb"(?<!1\.)#")
_LEADING_ZERO = re.compile(rb"(?<![\d.])0\d")


def text_lines(data: bytes) -> list[bytes]:
    """Lines of a text file of any line ending, tabs as blanks, without blanks before and behind.

    A byte order mark of UTF-8 is dropped.

    Raises
    ------
    FileFormatError
        When the bytes are UTF-16 or binary, or there are more than `MAX_LINES` lines.

    Examples
    --------
    >>> text_lines(b"one\\r\\ntwo")
    [b'one', b'two']
    """
    if data[:2] in _UTF16_MARKS:
        raise FileFormatError("is text in UTF-16; save it as UTF-8 or plain text")
    if b"\0" in data[:TEXT_PROBE_BYTES]:
        raise FileFormatError("is binary where text was expected; check its extension or export it again")
    data = data.removeprefix(UTF8_MARK).replace(b"\t", b" ")
    data = data.replace(b"\r", b"" if b"\n" in data else b"\n")
    count = data.count(b"\n")
    if count > MAX_LINES:
        raise FileFormatError(f"has {count:,} lines, more than {MAX_LINES:,}; decimate the scan or save it as binary")
    lines = data.split(b"\n")
    return [line.strip() for line in lines] if data[:1] == b" " or b"\n " in data else lines


def without_comment(line: bytes) -> bytes:
    """A line up to its `#`; the one in `1.#QNAN` begins no comment.

    Examples
    --------
    >>> without_comment(b"v 1 2 3 # tip")
    b'v 1 2 3'
    """
    return _COMMENT.split(line, maxsplit=1)[0].rstrip() if b"#" in line else line


def plain_numbers(row: bytes) -> bytes:
    """A row of numbers in one spelling: all that is none is `nan`, all that is infinite `inf`.

    Examples
    --------
    >>> plain_numbers(b"-nan(ind) 1.#QNAN -1.#INF 2")
    b'nan nan -inf 2'
    """
    if b"#" in row or b"(" in row:
        return _INFINITE.sub(b"inf", _NOT_A_NUMBER.sub(b"nan", row))
    return row


def number_table(rows: Sequence[bytes], what: str, numbers: Sequence[int]) -> NDArray[np.float64]:
    """Rows of numbers, all of one width.

    Numbers may be parted by blanks, commas or semicolons, or have a decimal comma where it can be nothing else.

    Parameters
    ----------
    rows : lines without comments
    what : what one row is, for the message
    numbers : the line of the file, from 0, that each row stands in

    Raises
    ------
    FileFormatError
        When there are none, or one is not a row of numbers like the first; the message names its line.
    """
    if not rows:
        raise FileFormatError(f"holds no {what}; export it again")
    whole = b"\n".join(rows)
    odd = b"#" in whole or b"(" in whole
    plain = one_separator([plain_numbers(row) for row in rows] if odd else list(rows), what, numbers)
    try:
        if all(map(bytes.strip, plain)):  # NumPy skips blank rows, which would shift all that follow
            return np.loadtxt(plain, np.float64, comments=None, ndmin=2)
    except ValueError:
        pass  # which row it is, below
    return _checked_table(plain, rows, what, numbers)


def _checked_table(
    plain: Sequence[bytes], rows: Sequence[bytes], what: str, numbers: Sequence[int]
) -> NDArray[np.float64]:
    """The table, row by row, so that an error names the line."""
    table, width = array("d"), 0
    for k, row in enumerate(plain):
        try:
            values = [float(word) for word in row.split()]
        except ValueError:
            values = []
        if not values or (width and len(values) != width):
            wanted = f"a row of {width} numbers" if width else "a row of numbers"
            raise bad_line(rows[k], numbers[k], f"as a {what}, which is not {wanted}")
        width = len(values)
        table.extend(values)
    return np.array(table).reshape(-1, width)


def bad_line(row: bytes, number: int, reason: str) -> FileFormatError:
    """The error of one line of a file, its number counted from 0 here and from 1 in the message."""
    shown = row[:SHOWN_CHARACTERS].decode("utf-8", "replace")
    return FileFormatError(
        f"has {shown!r} in line {number + 1:,} {reason}; it is damaged or cut short, export it again"
    )


def one_separator(rows: list[bytes], what: str, numbers: Sequence[int]) -> list[bytes]:
    """Rows with blanks between their numbers and points in them.

    Raises
    ------
    FileFormatError
        When commas stand both between numbers and in them.
    """
    whole = b"\n".join(rows)
    comma, semicolon = b"," in whole, b";" in whole
    if not comma and not semicolon:
        return rows
    if semicolon:
        rows = _blanks(rows, b";")
    if comma and not any(b"." in row for row in rows) and all(map(_decimal_commas, rows)):
        return [row.replace(b",", b".") for row in rows]
    for k, row in enumerate(rows):
        if b"," in row and (semicolon or (b"." not in row and _LEADING_ZERO.search(row))):
            raise bad_line(row, numbers[k], f"as a {what}, with commas whose meaning is not plain")
    return _blanks(rows, b",") if comma else rows


def _decimal_commas(row: bytes) -> bool:
    """Whether the words of a row, three or more, are numbers with one decimal comma at most each."""
    words = row.split()
    return (
        len(words) >= 3
        and all(word.count(b",") <= 1 and not word.startswith(b",") for word in words)
        and (not any(word.endswith(b",") for word in words))
    )


def _blanks(rows: list[bytes], mark: bytes) -> list[bytes]:
    """Rows with blanks for a separator; an empty field is not a number, but for one behind the last of each row."""
    ended = all(row.rstrip().endswith(mark) for row in rows)
    out = []
    for row in rows:
        fields = [field.strip() for field in row.split(mark)] if mark in row else [row]
        out.append(b" ".join(field or b"nan" for field in (fields[:-1] if ended else fields)))
    return out
