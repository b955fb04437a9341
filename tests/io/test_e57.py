"""E57: points of every scan in their places, whatever the bits of their fields; damage is one sentence."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from facecom.io import e57
from facecom.io.e57 import read_e57
from facecom.io.e57_streams import Field, checksums, decoded
from facecom.io.files import read_scan
from facecom.io.parsed_mesh import FileFormatError

spec = importlib.util.spec_from_file_location("e57_writer", Path(__file__).with_name("e57_writer.py"))
writer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(writer)

DOUBLES = dict.fromkeys(("cartesianX", "cartesianY", "cartesianZ"), 'type="Float"')
TURNED = (
    '<pose type="Structure"><rotation type="Structure"><w type="Float">1</w><x type="Float"/><y type="Float"/>'
    '<z type="Float">1</z></rotation><translation type="Structure"><x type="Float">10</x><y type="Float">20</y>'
    '<z type="Float">30</z></translation></pose>'
)


def doubles(points):
    """Fields of points as doubles."""
    columns = np.asarray(points, "<f8").T
    return {name: (kind, column.tobytes()) for (name, kind), column in zip(DOUBLES.items(), columns, strict=True)}


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(500, 3))


def test_scans_come_in_their_order_each_in_its_pose(points, written):
    path = written("a.e57", writer.e57_bytes([("", doubles(points), 500), (TURNED, doubles(points[:7]), 7)], packets=9))
    found = read_scan(path)
    assert len(found.faces) == 0
    np.testing.assert_array_equal(found.vertices[:500], points)
    x, y, z = points[:7].T
    np.testing.assert_allclose(found.vertices[500:], np.stack([10 - y, 20 + x, 30 + z], axis=1), atol=1e-12)


@pytest.mark.parametrize("bits", [1, 7, 8, 13, 31, 57, 58, 63, 64])
@pytest.mark.parametrize("packets", [1, 3])
def test_whole_numbers_of_any_number_of_bits(bits, packets):
    low = -(2 ** (bits - 1))
    numbers = [int(n) for n in np.random.default_rng(bits).integers(0, 2**bits - 1, 50, np.uint64, endpoint=True)]
    said = f'type="ScaledInteger" minimum="{low}" maximum="{low + 2**bits - 1}" scale="0.5" offset="3"'
    fields = {"cartesianX": (said, writer.packed(numbers, bits))}
    fields |= dict.fromkeys(("cartesianY", "cartesianZ"), ('type="Integer" minimum="4" maximum="4"', b""))
    found = read_e57(writer.e57_bytes([("", fields, 50)], packets=packets)).vertices
    np.testing.assert_allclose(found[:, 0], [0.5 * (low + n) + 3 for n in numbers], rtol=1e-15)
    assert (found[:, 1:] == 4).all()


def test_colours_normals_and_invalid_points(points):
    levels = np.random.default_rng(1).integers(0, 256, (500, 3))
    whole = 'type="Integer" minimum="0" maximum="255"'
    fields = doubles(points)
    for k, name in enumerate(("colorRed", "colorGreen", "colorBlue")):
        fields[name] = (whole, levels[:, k].astype(np.uint8).tobytes())
    for k, name in enumerate(("nor:normalX", "nor:normalY", "nor:normalZ")):
        fields[name] = ('type="Float" precision="single"', points[:, k].astype("<f4").tobytes())
    states = [2 if k % 10 == 0 else 0 for k in range(500)]
    fields["cartesianInvalidState"] = ('type="Integer" minimum="0" maximum="2"', writer.packed(states, 2))
    found = read_e57(writer.e57_bytes([(TURNED, fields, 500)]))
    np.testing.assert_allclose(found.colors, levels / 255)
    np.testing.assert_allclose(found.normals[:, 0], -points[:, 1], atol=1e-6)
    assert np.array_equal(np.isnan(found.vertices).all(axis=1), np.array(states) == 2)
    limits = "<colorLimits>" + "".join(
        f"<color{name}Minimum>0</color{name}Minimum><color{name}Maximum>510</color{name}Maximum>"
        for name in ("Red", "Green", "Blue")
    )
    stated = read_e57(writer.e57_bytes([(limits + "</colorLimits>", fields, 500)]))
    np.testing.assert_allclose(stated.colors, levels / 510)


def test_ranges_and_angles_are_points_too(points):
    distance = np.linalg.norm(points, axis=1)
    spherical = distance, np.arctan2(points[:, 1], points[:, 0]), np.arcsin(points[:, 2] / distance)
    names = ("sphericalRange", "sphericalAzimuth", "sphericalElevation")
    fields = {n: ('type="Float"', v.astype("<f8").tobytes()) for n, v in zip(names, spherical, strict=True)}
    np.testing.assert_allclose(read_e57(writer.e57_bytes([("", fields, 500)])).vertices, points, atol=1e-12)


def test_checksums_are_those_of_the_standard():
    assert checksums(np.zeros((1, 32), np.uint8))[0] == 0x8A9136AA


def test_one_changed_byte_is_named_by_its_page(points, refused):
    data = bytearray(writer.e57_bytes([("", doubles(points), 500)]))
    data[5000] ^= 1
    assert "page 5 of" in refused("a.e57", bytes(data))


@pytest.mark.parametrize("share", [0.99, 0.5, 0.01])
def test_a_file_that_is_cut_short_is_refused(points, refused, share):
    data = writer.e57_bytes([("", doubles(points), 500)])
    refused("a.e57", data[: int(share * len(data))])


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b'recordCount="500"', b'recordCount="501"', "cut short"),
        (b'recordCount="500"', b'recordCount="5e9"', "recordCount"),
        (b'recordCount="500"', b'recordCount="-50"', "declares"),
        (b'recordCount="500"', b'recordCount="999999999"', "more than are read"),
        (b"cartesianY", b"cartesianQ", "without coordinates"),
        (b'type="Float"', b'type="Text_"', "of the kind"),
        (b"<codecs", b"<codecs><vectorChild><a/></vectorChild></codecs><x", "codec"),
        (b'fileOffset="48"', b'fileOffset="64"', "where there are none"),
        (b"ASTM-E57", b"ASTM-E58", "does not begin"),
    ],
)
def test_what_does_not_fit_is_refused(points, before, after, said):
    content = writer.opened(writer.e57_bytes([("", doubles(points), 500)]))
    assert before in content
    changed = content.replace(before, after)
    if len(changed) > len(content):  # the XML is longer now, at the cost of the zeros behind it
        length = int.from_bytes(content[32:40], "little") + len(changed) - len(content)
        changed = changed[:32] + length.to_bytes(8, "little") + changed[40 : len(content)]
    with pytest.raises(FileFormatError, match=said):
        read_e57(writer.sealed(changed))


def test_a_document_type_is_refused(points):
    with pytest.raises(FileFormatError, match="document type"):
        read_e57(writer.e57_bytes([("", doubles(points), 500)], head='<!DOCTYPE a [<!ENTITY b "c">]>'))


def test_points_without_bits_are_bounded(monkeypatch):
    """Constant fields hold any number of points in no bytes."""
    fields = dict.fromkeys(DOUBLES, ('type="Integer" minimum="4" maximum="4"', b""))
    monkeypatch.setattr(e57, "MAX_POINTS", 100)
    assert len(read_e57(writer.e57_bytes([("", fields, 100)])).vertices) == 100
    with pytest.raises(FileFormatError, match="more than are read"):
        read_e57(writer.e57_bytes([("", fields, 101)]))


def test_a_stream_that_ends_before_its_count_says_so():
    with pytest.raises(FileFormatError, match="declares 9 values of a and holds 8"):
        decoded(np.zeros(1, np.uint8), Field("a", "bits", 0, 1), 9)
