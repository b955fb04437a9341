"""Arrays of numpy from bytes of unknown origin: no pickles, and what a header declares is held against the bytes."""

from __future__ import annotations

import io
import math
import zipfile

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 1 << 30
"""Most bytes that the arrays of an archive may take in memory: the largest public face models take a third."""
FREE_BYTES = 1 << 26
"""So many bytes any archive may unpack to; beyond them `MOST_RATIO` counts."""
MOST_RATIO = 100
"""How many times larger than its file an archive may be: models pack to a half, all zeros to a thousandth."""


def read_npy(data: bytes) -> NDArray:
    """The array of an .npy file.

    Raises
    ------
    ValueError
        When it is none, holds objects, or has fewer bytes than its header says.

    Examples
    --------
    >>> out = io.BytesIO()
    >>> np.save(out, np.arange(3))
    >>> read_npy(out.getvalue())
    array([0, 1, 2])
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"version {version} of the format is not read")
        if dtype.hasobject or dtype.itemsize == 0:
            raise ValueError(f"arrays of {dtype} are not read")
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > len(data) - stream.tell():
            raise ValueError("it is cut short: its header declares more than it holds")
        stream.seek(0)
        found: NDArray = np.lib.format.read_array(stream, allow_pickle=False)
    except ValueError:
        raise
    except Exception as error:  # what numpy's parser of headers raises on damaged ones is not one family
        raise ValueError(f"its header is damaged ({type(error).__name__})") from None
    return found


def read_npz(data: bytes) -> dict[str, NDArray]:
    """The arrays of an .npz file by name, whose declared sizes are bounded before anything is unpacked.

    Raises
    ------
    ValueError
        When it is none, is damaged, holds objects, or would unpack to far more than its size.
    """
    most = min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * len(data)))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            declared = sum(entry.file_size for entry in entries)
            if declared > most:
                raise ValueError(
                    f"it declares {declared / 1e6:,.0f} MB of arrays, more than the {most / 1e6:,.0f} read"
                )
            return {entry.filename.removesuffix(".npy"): read_npy(archive.read(entry)) for entry in entries}
    except ValueError:
        raise
    except Exception as error:  # zlib, struct, an unknown compression, encryption: zipfile has no one family
        raise ValueError(f"its archive is damaged ({type(error).__name__}: {str(error)[:80]})") from None
