"""XML of unknown origin, whichever reader parses it: one sentence where it is none."""

import pytest

from facecom.errors import ScanError
from facecom.io.files import read_scan
from facecom.io.landmarks import read_landmarks
from facecom.io.parsed_mesh import FileFormatError
from facecom.io.xml_tree import parse_xml

UNKNOWN = b'<?xml version="1.0" encoding="utf-99"?><a/>'


@pytest.mark.parametrize("read", [lambda path: read_scan(path), lambda path: read_landmarks(path)])
@pytest.mark.parametrize("extension", [".dae", ".vtp", ".pp"])
def test_an_unknown_encoding_is_one_sentence(written, read, extension):
    with pytest.raises(ScanError) as told:
        read(written(f"a{extension}", UNKNOWN))
    assert "\n" not in str(told.value)


def test_the_sentence_names_whose_xml_it_is_none_of():
    with pytest.raises(FileFormatError, match=r"no XML of E57 \(unknown encoding: utf-99\)"):
        parse_xml(UNKNOWN, what="E57")


def test_namespaces_are_left_out_of_names():
    root = parse_xml(b'<a xmlns:n="m"><n:b n:c="1" d="2"/></a>', what="a test")
    assert root.find("b").attrib == {"c": "1", "d": "2"}
