"""One enumeration: its numbers are those of the files, its labels those of the reports."""

import numpy as np

import facecom
from facecom.provenance import Provenance


def test_the_numbers_of_the_files_stay():
    expected = {"observed": 0, "mirrored": 1, "model": 2, "guided": 3, "synthesised": 4}
    assert {each.label: each.value for each in Provenance} == expected


def test_a_vertex_table_of_numbers_names_its_members():
    table = np.array([0, 4, 2], np.uint8)
    assert [Provenance(int(number)).label for number in table] == ["observed", "synthesised", "model"]
    assert (table == Provenance.MODEL).tolist() == [False, False, True]


def test_it_is_the_one_of_the_package():
    assert facecom.Provenance is Provenance
