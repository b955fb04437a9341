"""Lines and tables of numbers."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.io import text_lines
from facecom.io.parsed_mesh import FileFormatError
from facecom.io.text_lines import number_table, one_separator, plain_numbers, without_comment

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(FINITE, FINITE, FINITE), min_size=1, max_size=5))
def test_every_bit_of_a_table_survives(rows):
    lines = [" ".join(map(repr, row)).encode() for row in rows]
    assert number_table(lines, "point", range(len(lines))).tobytes() == np.array(rows).tobytes()


@given(
    st.lists(st.tuples(*[st.integers(-999, 999)] * 3), min_size=1, max_size=5),
    st.sampled_from([", ", "; ", " ;", "\t;"]),
)
def test_separators_with_blanks_are_separators(rows, mark):
    lines = [mark.join(map(str, row)).encode() for row in rows]
    assert number_table(lines, "point", range(len(lines))).tolist() == [list(map(float, row)) for row in rows]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_of_every_ending_are_the_same(ending):
    assert text_lines.text_lines(ending.join(["a", " b", "c"]).encode()) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le"])
def test_two_bytes_for_a_letter_are_refused(encoding):
    with pytest.raises(FileFormatError, match="UTF-16|binary"):
        text_lines.text_lines("v 1 2 3\n".encode(encoding))


def test_more_lines_than_are_read_are_refused(monkeypatch):
    monkeypatch.setattr(text_lines, "MAX_LINES", 10)
    assert len(text_lines.text_lines(b"\n" * 10)) == 11
    with pytest.raises(FileFormatError, match="11 lines, more than 10"):
        text_lines.text_lines(b"\n" * 11)


def test_a_mark_within_a_number_begins_no_comment():
    assert without_comment(b"1.#QNAN 2 # three") == b"1.#QNAN 2"
    assert plain_numbers(b"1.#QNAN -1.#IND 1.#INF00 -nan(ind) NaN(SNAN)") == b"nan nan inf nan nan"


@pytest.mark.parametrize("row", [b"nan(" * 200_000, b"1.#" * 300_000, b"#" * 500_000, b"(" * 500_000])
def test_no_line_costs_more_than_its_length(row):
    begin = time.process_time()
    plain_numbers(without_comment(row))
    assert time.process_time() - begin < 2


def test_commas_are_points_only_where_they_can_be_nothing_else():
    assert one_separator([b"1,5 2,5 3", b"4 5 6,25"], "point", [0, 1]) == [b"1.5 2.5 3", b"4 5 6.25"]
    assert one_separator([b"1,2,3", b"4,5,6,"], "point", [0, 1]) == [b"1 2 3", b"4 5 6 nan"]
    assert one_separator([b"1,2,3,", b"4,5,6,"], "point", [0, 1]) == [b"1 2 3", b"4 5 6"]
    assert one_separator([b"1,5;2;3"], "point", [0]) == ["1,5 2 3".replace(",", ".").encode()]
    with pytest.raises(FileFormatError, match=r"in line 8 as a point, with commas"):
        one_separator([b"1,031,2"], "point", [7])


def test_a_row_of_another_width_is_named_even_where_blank_rows_hide_it():
    with pytest.raises(FileFormatError, match=r"'' in line 2"):
        number_table([b"1 2 3", b"", b"1 2 3"], "point", [0, 1, 2])
    with pytest.raises(FileFormatError, match="holds no point"):
        number_table([], "point", [])
