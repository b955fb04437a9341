"""The jobs of the viewer that follow a completion: designing, and packing the results."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from facecom.completion import Completion, Progress
from facecom.report.html import report_html

if TYPE_CHECKING:
    from facecom.prosthesis import Prosthesis

WRITING_START = 0.7
"""Share of the work before the results are written."""
COMPRESSION_LEVEL = 3
"""Of zip archives: meshes hardly shrink further, and higher levels take several times as long."""
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time of the format, so that the same files give the same bytes."""


def design_prostheses(
    completion: Completion, *, margin_mm: float, wall_mm: float, progress: Progress
) -> tuple[Prosthesis, ...]:
    """A prosthesis for each missing part of the completion."""
    from facecom.prosthesis import DesignSettings, design_all

    settings = DesignSettings(margin_mm=margin_mm, wall_mm=wall_mm)
    return tuple(design_all(completion, settings=settings, progress=progress))


def pack_results(completion: Completion, *, name: str, progress: Progress) -> bytes:
    """A zip archive of what `facecom complete` writes."""
    progress("report", 0.0)
    page = report_html(completion, name=name)
    progress("write", WRITING_START)
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        completion.save(folder)
        return zip_folder(Path(folder), {"report.html": page.encode()})


def pack_prostheses(prostheses: tuple[Prosthesis, ...], *, progress: Progress) -> bytes:
    """A zip archive of the files of all prostheses, a folder each where there are several."""
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        for k, prosthesis in enumerate(prostheses):
            progress("write", k / len(prostheses))
            prosthesis.save(Path(folder) / (f"part_{k + 1}" if len(prostheses) > 1 else ""))
        return zip_folder(Path(folder), {})


def zip_folder(folder: Path, further: dict[str, bytes]) -> bytes:
    """The files of a folder and further ones as a zip archive; the same files give the same bytes."""
    files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} | further
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
