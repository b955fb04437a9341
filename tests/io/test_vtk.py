"""VTK surfaces, legacy and XML, in every layout of their numbers."""

import base64
import zlib

import numpy as np
import pytest

from facecom.io.files import read_scan

POINTS = np.random.default_rng(0).normal(scale=60, size=(6, 3)).astype(np.float32)
POLYGONS = [[0, 1, 2], [2, 3, 4, 5], [5, 0, 3]]
FACES = [[0, 1, 2], [2, 3, 4], [2, 4, 5], [5, 0, 3]]
FLAT = np.concatenate(POLYGONS)
ENDS = np.cumsum([len(polygon) for polygon in POLYGONS])
COUNTED = np.concatenate([[len(polygon), *polygon] for polygon in POLYGONS])
INFORMATION = b'<InformationKey name="L2_NORM_RANGE" length="2"><Value index="0">80</Value></InformationKey>'
BEHIND = b"\nPOINT_DATA 6\nNORMALS Normals float\n"


def words(values: np.ndarray) -> bytes:
    return " ".join(map(repr, values.ravel().tolist())).encode()


def legacy(version: str, *, binary: bool, kind: str = "float", vertices: bool = False) -> bytes:
    def numbers(values: np.ndarray, code: str) -> bytes:
        return (values.astype(">" + code).tobytes() if binary else words(values)) + b"\n"

    out = f"# vtk DataFile Version {version}\na scan\n{'BINARY' if binary else 'ASCII'}\nDATASET POLYDATA\n".encode()
    out += f"POINTS 6 {kind}\n".encode() + numbers(POINTS, "f8" if kind == "double" else "f4")
    if version == "5.1":
        out += b"METADATA\nINFORMATION 1\nNAME a LOCATION b\nDATA 1\n\n"
        out += b"POLYGONS 4 10\nOFFSETS vtktypeint64\n" + numbers(np.concatenate([[0], ENDS]), "i8")
        out += b"CONNECTIVITY vtktypeint64\n" + numbers(FLAT, "i8")
    else:
        out += b"VERTICES 1 2\n" + numbers(np.array([1, 0]), "i4") if vertices else b""
        out += b"POLYGONS 3 13\n" + numbers(COUNTED, "i4")
    return out + BEHIND


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("version", "vertices"), [("3.0", False), ("4.2", True), ("5.1", False)])
@pytest.mark.parametrize("kind", ["float", "double"])
def test_legacy_surfaces_keep_their_order(version, vertices, binary, kind, written):
    mesh = read_scan(written("a.vtk", legacy(version, binary=binary, kind=kind, vertices=vertices)))
    assert np.array_equal(mesh.vertices, POINTS)
    assert mesh.faces.tolist() == FACES


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("version", ["4.2", "5.1"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_legacy_files_that_are_cut_short_are_refused(version, binary, share, refused):
    data = legacy(version, binary=binary).removesuffix(BEHIND)
    refused("a.vtk", data[: int(share * len(data))])


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (b"POINTS 6", b"POINTS 999999999999999999999", "cut short"),
        (b"POINTS 6", b"POINTS -1", "cut short"),
        (b"POLYGONS 3 13", b"POLYGONS 3 1300000000", "cut short"),
        (b"POLYGONS 3 13", b"POLYGONS 900000000 13", "cut short"),
        (b"POLYDATA", b"STRUCTURED_POINTS", "no VTK file with a surface"),
        (b"POLYGONS", b"TRIANGLE_STRIPS", "triangle strips"),
        (b"POLYGONS", b"NOTHING", "not understood"),
        (b"# vtk", b"# vt", "does not begin like a VTK file"),
    ],
)
@pytest.mark.parametrize("binary", [True, False])
def test_legacy_headers_that_cannot_be_are_named(before, after, reason, binary, refused):
    assert reason in refused("a.vtk", legacy("4.2", binary=binary).replace(before, after, 1))


def header(values: np.ndarray, code: str, packed: bool) -> tuple[bytes, bytes]:
    """What stands before an array, and its content."""
    content = values.tobytes()
    if not packed:
        return np.array([len(content)], code).tobytes(), content
    pieces = [content[k : k + 16] for k in range(0, len(content), 16)]
    small = [zlib.compress(piece) for piece in pieces]
    last = len(pieces[-1]) % 16
    return np.array([len(pieces), 16, last, *map(len, small)], code).tobytes(), b"".join(small)


def vtp(layout: str, *, wide: bool = False, packed: bool = False, big: bool = False) -> bytes:
    """The surface with its arrays as `ascii`, `binary`, `raw` (appended) or `base64` (appended)."""
    code, order = ("u8" if wide else "u4"), (">" if big else "<")
    arrays = {
        "Points": POINTS.astype(order + "f4"),
        "connectivity": FLAT.astype(order + "i8"),
        "offsets": ENDS.astype(order + "i8"),
    }
    appended = b""
    xml = {}
    for name, values in arrays.items():
        head, content = header(values, order + code, packed)
        text = base64.b64encode(head) + base64.b64encode(content) if packed else base64.b64encode(head + content)
        kind = f'type="{"Float32" if name == "Points" else "Int64"}" Name="{name}"'
        if layout in ("ascii", "binary"):
            xml[name] = (
                f'<DataArray {kind} format="{layout}">\n'.encode()
                + (words(values) if layout == "ascii" else text)
                + INFORMATION
                + b"\n</DataArray>"
            )
        else:
            xml[name] = f'<DataArray {kind} format="appended" offset="{len(appended)}"/>'.encode()
            appended += text if layout == "base64" else head + content
    root = f'<VTKFile type="PolyData" byte_order="{"BigEndian" if big else "LittleEndian"}"'
    root += f' header_type="{"UInt64" if wide else "UInt32"}"' + (
        ' compressor="vtkZLibDataCompressor">' if packed else ">"
    )
    out = root.encode() + b'<PolyData><Piece NumberOfPoints="6" NumberOfPolys="3">'
    out += b'<PointData><DataArray type="Float32" Name="connectivity" format="ascii">1 2</DataArray></PointData>'
    out += (
        b"<Points>"
        + xml["Points"]
        + b"</Points><Polys>"
        + xml["connectivity"]
        + xml["offsets"]
        + b"</Polys></Piece></PolyData>"
    )
    if appended:
        out += f'<AppendedData encoding="{layout}">_'.encode() + appended + b"</AppendedData>"
    return out + b"</VTKFile>"


LAYOUTS = ["ascii", "binary", "raw", "base64"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("big", [True, False])
def test_xml_surfaces_keep_their_order(layout, wide, packed, big, written):
    mesh = read_scan(written("a.vtp", vtp(layout, wide=wide, packed=packed, big=big)))
    assert np.array_equal(mesh.vertices, POINTS)
    assert mesh.faces.tolist() == FACES


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_xml_files_that_are_cut_short_are_refused(layout, packed, share, refused):
    data = vtp(layout, packed=packed)
    refused("a.vtp", data[: int(share * len(data))])


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (b'type="PolyData"', b'type="ImageData"', "no VTK file with a surface"),
        (b"vtkZLibDataCompressor", b"vtkLZ4DataCompressor", "vtkLZ4DataCompressor, which is not read"),
        (b'NumberOfPolys="3"', b'NumberOfStrips="3"', "triangle strips"),
        (b'offset="0"', b'offset="99999999"', "cut short"),
        (b'offset="0"', b'offset="-9"', "cut short"),
        (b"<VTKFile", b'<!DOCTYPE a [<!ENTITY b "c">]><VTKFile', "document type"),
        (b'type="Float32" Name="P', b'type="Float31" Name="P', "cannot be read"),
    ],
)
def test_xml_that_cannot_be_is_named(before, after, reason, refused):
    data = vtp("raw", packed=True)
    assert before in data
    assert reason in refused("a.vtp", data.replace(before, after, 1))


def test_blocks_that_unpack_to_more_than_they_say_are_refused(refused):
    packed = zlib.compress(bytes(50_000_000))
    head = np.array([1, 72, 72, len(packed)], "<u4").tobytes()
    data = vtp("raw", packed=True)
    at = data.index(b">_") + 2
    data = data[:at] + head + packed + b"</AppendedData></VTKFile>"
    refused("a.vtp", data)
    lie = np.array([1, 2**31, 0, len(packed)], "<u4").tobytes()
    assert "more than it can hold" in refused("b.vtp", data.replace(head, lie))
