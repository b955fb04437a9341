"""E57 point clouds: every scan with its pose, in the order of the file.

Format: ASTM E2807, https://www.libe57.org. A file is a chain of pages, each with a checksum; within them lie an XML
that describes the scans, and for each scan packets with one stream of bits for each field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats
from facecom.io.e57_streams import FIELD_TYPES, Field, decoded, gather_streams, logical_bytes
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, cut_short, no_faces
from facecom.io.xml_tree import parse_xml

HEADER_BYTES = 48
MAX_SCANS, MAX_POINTS, MAX_FIELDS = 2_000, 10_000_000, 60
"""Scans, points of all of them, and numbers of each point at most."""
_CARTESIAN = ("cartesianX", "cartesianY", "cartesianZ")
_SPHERICAL = ("sphericalRange", "sphericalAzimuth", "sphericalElevation")
_NORMAL = ("normalX", "normalY", "normalZ")
_COLOR = ("colorRed", "colorGreen", "colorBlue")
_INVALID = ("cartesianInvalidState", "sphericalInvalidState")


@dataclass(frozen=True)
class _Scan:
    """Points, normals and colours of one scan in the frame of the file."""

    points: Floats
    normals: Floats | None
    colors: Floats | None


def read_e57(data: bytes) -> ParsedMesh:
    """Parse an E57 file: the points of all scans, each moved by its pose, with colours and normals.

    A point that its scan calls invalid keeps its place in the order and has no coordinates.

    Raises
    ------
    FileFormatError
        When it is none, a page is damaged, a field is packed by another codec, or there are more points than are read.
    """
    content, page, xml = _sections(data)
    scans = parse_xml(xml, what="E57").findall("data3D/vectorChild")
    if not scans:
        raise FileFormatError("holds no scan of points; export the points again")
    counts = [_number(scan.find("points"), "recordCount") for scan in scans]
    if len(scans) > MAX_SCANS or sum(counts) > MAX_POINTS or min(counts) < 0:
        raise FileFormatError(
            f"declares {len(scans):,} scans of {sum(counts):,} points, more than are read; thin or cut the cloud"
        )
    parts = [_scan(scan, content, page) for scan in scans]
    return ParsedMesh(
        np.concatenate([part.points for part in parts]),
        no_faces(),
        normals=_all_or_none([part.normals for part in parts], parts),
        colors=_all_or_none([part.colors for part in parts], parts),
    )


def _sections(data: bytes) -> tuple[NDArray[np.uint8], int, bytes]:
    """The content without checksums, the size of a page, and the XML."""
    if data[:8] != b"ASTM-E57" or len(data) < HEADER_BYTES:
        raise FileFormatError("does not begin like an E57 file; check its extension or export it again")
    size, at, length, page = (int(n) for n in np.frombuffer(data, "<u8", 4, 16))
    if size > len(data):
        raise cut_short("bytes", size, len(data))
    content = logical_bytes(data, page)
    begin = logical_place(at, page)
    if begin + length > len(content):
        raise cut_short("bytes", begin + length, len(content))
    return content, page, content[begin : begin + length].tobytes().rstrip(b"\0")


def logical_place(at: int, page: int) -> int:
    """Where a byte of the file lies in the content without checksums."""
    return at // page * (page - 4) + at % page


def _scan(scan: Element, content: NDArray[np.uint8], page: int) -> _Scan:
    """One scan, decoded."""
    points = scan.find("points")
    count = _number(points, "recordCount")
    fields = _fields(points)
    streams = gather_streams(content, logical_place(_number(points, "fileOffset"), page), page, fields)
    names = {field.name: k for k, field in enumerate(fields)}

    def three(wanted: tuple[str, ...]) -> Floats | None:
        if not all(name in names for name in wanted):
            return None
        return np.stack([decoded(streams[names[n]], fields[names[n]], count) for n in wanted], axis=1)

    rotation, translation = _pose(scan.find("pose"))
    places, normals, colors = _places(three), three(_NORMAL), three(_COLOR)
    for name in _INVALID:
        if name in names:
            places[decoded(streams[names[name]], fields[names[name]], count) != 0] = np.nan
    if colors is not None:
        colors = _unit_colors(colors, scan, [fields[names[name]] for name in _COLOR])
    return _Scan(places @ rotation.T + translation, None if normals is None else normals @ rotation.T, colors)


def _places(three: Callable[[tuple[str, ...]], Floats | None]) -> Floats:
    """Points in the scanner's frame: stored as such, or as range, azimuth and elevation."""
    found = three(_CARTESIAN)
    if found is not None:
        return found
    spherical = three(_SPHERICAL)
    if spherical is None:
        raise FileFormatError("has points without coordinates; export it again with x, y and z")
    distance, azimuth, elevation = spherical.T
    flat = distance * np.cos(elevation)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), distance * np.sin(elevation)], axis=1)


def _fields(points: Element | None) -> list[Field]:
    """The fields of each point in the order of their streams."""
    elements = [] if points is None else points.findall("prototype/*")
    if len(elements) > MAX_FIELDS:
        raise FileFormatError(f"has {len(elements):,} numbers for each point, more than {MAX_FIELDS}; export it again")
    if points is not None and points.find("codecs/vectorChild/*") is not None:
        raise FileFormatError("packs its points by a codec of its own, which is not read; export it again")
    fields = []
    for element in elements:
        kind, said = element.get("type", ""), element.attrib
        if kind not in FIELD_TYPES:
            raise FileFormatError(f"has a field of the kind {kind[:20]!r} in its points, which is not read")
        if kind == "Float":
            fields.append(Field(element.tag, "f4" if said.get("precision") == "single" else "f8"))
            continue
        low, high = int(said.get("minimum", -(2**63))), int(said.get("maximum", 2**63 - 1))
        if not -(2**63) <= low <= high < 2**63:
            raise FileFormatError(f"has a field {element.tag[:20]!r} without a range; it is damaged, export it again")
        scale, offset = (float(said.get("scale", 1)), float(said.get("offset", 0))) if kind != "Integer" else (1.0, 0.0)
        fields.append(Field(element.tag, "bits", low, high, scale, offset))
    return fields


def _pose(pose: Element | None) -> tuple[Floats, Floats]:
    """Rotation (3, 3) and translation (3,) of a scan; what is left out is none."""
    if pose is None:
        return np.eye(3), np.zeros(3)
    w, x, y, z = (_value(pose, f"rotation/{axis}", float(axis == "w")) for axis in "wxyz")
    translation = np.array([_value(pose, f"translation/{axis}", 0.0) for axis in "xyz"])
    length = np.sqrt(w * w + x * x + y * y + z * z)
    if not (0 < length < np.inf and np.isfinite(translation).all()):
        raise FileFormatError("has a scan whose pose is no rotation; it is damaged, export it again")
    w, x, y, z = w / length, x / length, y / length, z / length
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows), translation


def _unit_colors(colors: Floats, scan: Element, fields: list[Field]) -> Floats:
    """Colours in 0..1 by the limits that the scan states, or those of their fields."""
    names = ("Red", "Green", "Blue")
    limits = scan.find("colorLimits")
    ends = []
    for name, field in zip(names, fields, strict=True):
        own = (field.low, field.high) if field.kind == "bits" else (0, 1)
        pairs = zip(("Minimum", "Maximum"), own, strict=True)
        ends.append([old if limits is None else _value(limits, f"color{name}{end}", old) for end, old in pairs])
    low, high = np.array(ends, np.float64).T
    return np.clip((colors - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)


def _all_or_none(values: list[Floats | None], parts: list[_Scan]) -> Floats | None:
    """What all scans hold; where one does not, its points have none."""
    if all(value is None for value in values):
        return None
    pairs = zip(values, parts, strict=True)
    return np.concatenate([np.full(part.points.shape, np.nan) if v is None else v for v, part in pairs])


def _number(element: Element | None, name: str) -> int:
    """A whole number among the attributes of an element."""
    try:
        if element is None:
            raise ValueError("there is none")
        return int(element.attrib[name])
    except (KeyError, ValueError):
        raise FileFormatError(f"has a scan without {name}; it is damaged, export it again") from None


def _value(element: Element, path: str, default: float) -> float:
    """A number within an element; an empty one is 0, as the format has it."""
    found = element.find(path)
    return default if found is None else float(found.text or 0)
