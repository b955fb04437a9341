"""Results packed for download."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from facecom.completion import Completion, Progress
from facecom.report.html import report_html

WRITING_START = 0.7
"""Share of the work before the results are written."""
COMPRESSION_LEVEL = 3
"""Of zip archives: meshes hardly shrink further, and higher levels take several times as long."""
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time of the format, so that the same files give the same bytes."""


def pack_results(completion: Completion, *, name: str, progress: Progress) -> bytes:
    """A zip archive of what `facecom complete` writes."""
    progress("report", 0.0)
    page = report_html(completion, name=name)
    progress("write", WRITING_START)
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        completion.save(folder)
        return zip_folder(Path(folder), {"report.html": page.encode()})


def zip_folder(folder: Path, further: Mapping[str, bytes] = MappingProxyType({})) -> bytes:
    """The files of a folder and further ones as a zip archive; the same files give the same bytes."""
    files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as archive:
        for name, data in sorted((files | dict(further)).items()):
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
