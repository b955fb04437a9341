"""Pages, packets and bit streams of E57 files: bytes in, numbers out, no more than the bytes hold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats
from facecom.io.parsed_mesh import FileFormatError, cut_short

SECTION_BYTES, PACKET_BYTES, CHECKSUM_BYTES = 32, 6, 4
"""Header of a section of points, of a packet with data, and the checksum at the end of a page."""
MAX_PAGE_BYTES, MAX_PACKETS = 1 << 20, 1_000_000
"""Size of a page at most, and packets of one scan: they are read one by one and hold 64 kB each."""
PAGES_AT_ONCE = 1 << 15
"""Pages whose checksums are computed together."""
FIELD_TYPES = ("Float", "Integer", "ScaledInteger")
DATA_PACKET, KNOWN_PACKETS = 1, (0, 1, 2)
CASTAGNOLI = 0x82F63B78
"""The polynomial of CRC-32C, its bits reversed."""

Bytes = NDArray[np.uint8]


class Field(NamedTuple):
    """One number of each point: a float (f4, f8), or a whole number from `low` to `high` in as many bits as it needs.

    The value is `scale * number + offset`.
    """

    name: str
    kind: str
    low: int = 0
    high: int = 0
    scale: float = 1.0
    offset: float = 0.0

    @property
    def bits(self) -> int:
        """Bits of one number."""
        return (self.high - self.low).bit_length() if self.kind == "bits" else 8 * np.dtype(self.kind).itemsize


def logical_bytes(data: bytes, page: int) -> Bytes:
    """The content of all whole pages without their checksums.

    Raises
    ------
    FileFormatError
        When pages are of no plausible size, or a checksum does not hold.
    """
    if not CHECKSUM_BYTES < page <= MAX_PAGE_BYTES or len(data) < page:
        raise FileFormatError(f"declares pages of {page:,} bytes; it is damaged, export it again")
    pages = np.frombuffer(data, np.uint8, len(data) // page * page).reshape(-1, page)
    for begin in range(0, len(pages), PAGES_AT_ONCE):
        block = pages[begin : begin + PAGES_AT_ONCE]
        # The checksum is stored with its first byte in front, unlike all other numbers of the format.
        stored = np.ascontiguousarray(block[:, -CHECKSUM_BYTES:]).view(">u4")[:, 0]
        wrong = np.flatnonzero(checksums(block[:, :-CHECKSUM_BYTES]) != stored)
        if len(wrong):
            raise FileFormatError(
                f"is damaged: page {begin + wrong[0] + 1:,} of {len(pages):,} does not have its checksum; copy it again"
            )
    return pages[:, :-CHECKSUM_BYTES].ravel()


def checksums(rows: Bytes) -> NDArray[np.uint32]:
    """CRC-32C of each row of bytes.

    Examples
    --------
    >>> hex(checksums(np.frombuffer(b"123456789", np.uint8)[None])[0])
    '0xe3069283'
    """
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(CASTAGNOLI), table >> 1)
    out = np.full(len(rows), 0xFFFFFFFF, np.uint32)
    for column in np.ascontiguousarray(rows.T):
        out = table[(out ^ column) & 0xFF] ^ (out >> 8)
    return ~out


def gather_streams(content: Bytes, begin: int, page: int, fields: list[Field]) -> list[Bytes]:
    """The stream of each field, put together from the packets of one section.

    Parameters
    ----------
    content : the file without checksums
    begin : where the section begins in it
    page : size of a page of the file, by which the section tells where its packets are
    fields : what each point has

    Raises
    ------
    FileFormatError
        When the section ends beyond the file or a packet is none.
    """
    head = content[begin : begin + SECTION_BYTES].tobytes()
    if len(head) < SECTION_BYTES or head[0] != 1:
        raise FileFormatError("names points where there are none; it is damaged, export it again")
    length, place = (int.from_bytes(head[k : k + 8], "little") for k in (8, 16))
    end = begin + length
    if end > len(content):
        raise cut_short("bytes", end, len(content))
    at = place // page * (page - CHECKSUM_BYTES) + place % page
    pieces: list[list[Bytes]] = [[] for _ in fields]
    for _ in range(MAX_PACKETS):
        if at + PACKET_BYTES > end:
            return [np.concatenate(parts) if parts else np.zeros(0, np.uint8) for parts in pieces]
        packet = content[at : at + 4].tobytes()
        size = int.from_bytes(packet[2:4], "little") + 1
        if packet[0] not in KNOWN_PACKETS or at + size > end or size % 4:
            raise FileFormatError("has a packet that is none; it is damaged, export it again")
        if packet[0] == DATA_PACKET:
            _take_packet(content[at : at + size], pieces)
        at += size
    raise FileFormatError(f"has more than {MAX_PACKETS:,} packets, which is more than is read; export it again")


def _take_packet(packet: Bytes, pieces: list[list[Bytes]]) -> None:
    """Add the pieces of each stream that one packet holds."""
    streams = int.from_bytes(packet[4:PACKET_BYTES].tobytes(), "little")
    at = PACKET_BYTES + 2 * streams
    lengths = np.frombuffer(packet[PACKET_BYTES:at].tobytes(), "<u2") if at <= len(packet) else np.zeros(0, "<u2")
    if streams != len(pieces) or at + int(lengths.sum()) > len(packet):
        raise FileFormatError("has a packet that does not fit its fields; it is damaged, export it again")
    for parts, length in zip(pieces, lengths.tolist(), strict=True):
        if length:
            parts.append(packet[at : at + length])
        at += length


def decoded(stream: Bytes, field: Field, count: int) -> Floats:
    """The first `count` numbers of a stream.

    Raises
    ------
    FileFormatError
        When it holds fewer.

    Examples
    --------
    >>> decoded(np.array([0b11_10_01_00], np.uint8), Field("a", "bits", 5, 8, 0.5), 4).tolist()
    [2.5, 3.0, 3.5, 4.0]
    """
    bits = field.bits
    if count * bits > 8 * len(stream):
        raise cut_short(f"values of {field.name[:30]}", count, 8 * len(stream) // bits)
    if field.kind != "bits":
        return np.frombuffer(stream.tobytes(), f"<{field.kind}", count).astype(np.float64)
    numbers = _unpacked(stream, bits, count) if bits else np.zeros(count, np.uint64)
    whole = (numbers + np.uint64(field.low % 2**64)).view(np.int64)  # exact where floats would cancel
    return field.scale * whole.astype(np.float64) + field.offset


def _unpacked(stream: Bytes, bits: int, count: int) -> NDArray[np.uint64]:
    """Numbers of so many bits each, the lowest first."""
    padded = np.concatenate([stream, np.zeros(9, np.uint8)]).tobytes()
    windows = np.ndarray((len(stream) + 1,), "<u8", padded, strides=(1,))  # eight bytes from every byte on
    first = np.arange(count, dtype=np.int64) * bits
    byte, shift = first >> 3, (first & 7).astype(np.uint64)
    out = windows[byte] >> shift
    if bits > 57:  # a number may reach into a ninth byte
        above = np.frombuffer(padded, np.uint8)[byte + 8].astype(np.uint64)
        out |= np.where(shift > 0, above << (np.uint64(64) - np.maximum(shift, np.uint64(1))), np.uint64(0))
    return out & np.uint64(2**bits - 1)
