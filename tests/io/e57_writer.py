"""A small writer of E57 files, for tests: integers of any number of bits, floats, several scans, several packets."""

import numpy as np

from facecom.io.e57_streams import checksums

PAGE = 1024
BODY = PAGE - 4


def sealed(content: bytes) -> bytes:
    """The content in pages with their checksums."""
    content += bytes(-len(content) % BODY)
    rows = np.frombuffer(content, np.uint8).reshape(-1, BODY)
    return np.hstack([rows, checksums(rows).astype(">u4")[:, None].view(np.uint8)]).tobytes()


def opened(data: bytes) -> bytes:
    """The content of pages without their checksums."""
    return np.frombuffer(data, np.uint8).reshape(-1, PAGE)[:, :BODY].tobytes()


def packed(numbers: list[int], bits: int) -> bytes:
    """Numbers of so many bits each, the lowest first."""
    whole = sum(number << (bits * k) for k, number in enumerate(numbers))
    return whole.to_bytes(-(-bits * len(numbers) // 8), "little")


def packet(pieces: list[bytes]) -> bytes:
    """A packet of data: the lengths of its pieces, and they."""
    lengths = b"".join(len(piece).to_bytes(2, "little") for piece in pieces)
    body = len(pieces).to_bytes(2, "little") + lengths + b"".join(pieces)
    body += bytes(-(len(body) + 4) % 4)
    return b"\1\0" + (len(body) + 3).to_bytes(2, "little") + body


def physical(at: int) -> int:
    """Where a byte of the content lies in the file."""
    return at // BODY * PAGE + at % BODY


def e57_bytes(scans: list[tuple[str, dict[str, tuple[str, bytes]], int]], *, packets: int = 2, head: str = "") -> bytes:
    """A file of scans, each (XML beside its points, {field: (its attributes, its stream)}, number of points)."""
    content, described = bytes(48), ""
    for beside, fields, count in scans:
        begin = len(content)
        streams = [stream for _, stream in fields.values()]
        cut = [[len(s) * k // packets for k in range(packets + 1)] for s in streams]
        body = b"\0\0\3\0" + b"".join(
            packet([s[c[k] : c[k + 1]] for s, c in zip(streams, cut, strict=True)]) for k in range(packets)
        )
        section = b"\1" + bytes(7) + (32 + len(body)).to_bytes(8, "little")
        section += physical(begin + 32).to_bytes(8, "little") + bytes(8)
        content += section + body
        prototype = "".join(f"<{name} {attributes}/>" for name, (attributes, _) in fields.items())
        described += (
            f'<vectorChild type="Structure">{beside}<points type="CompressedVector" fileOffset="{physical(begin)}" '
            f'recordCount="{count}"><prototype type="Structure">{prototype}</prototype><codecs type="Vector"/></points>'
            "</vectorChild>"
        )
    xml = (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<e57Root type="Structure" xmlns:nor="http://www.libe57.org/N" '
        f'xmlns="http://www.astm.org/COMMIT/E57/2010-e57-v1.0"><data3D type="Vector">{described}</data3D></e57Root>'
    ).encode()
    at, total = len(content), len(content) + len(xml)
    size = -(-total // BODY) * PAGE
    numbers = [1, 0], [size, physical(at), len(xml), PAGE]
    header = b"ASTM-E57" + np.array(numbers[0], "<u4").tobytes() + np.array(numbers[1], "<u8").tobytes()
    return sealed(header + content[48:] + xml)
