"""The files of a part: STL, 3MF and PLY for machines, JSON and a picture for people."""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Mesh
from facecom.io.files import write_bytes
from facecom.io.writers import ply_bytes, stl_bytes
from facecom.prosthesis.inspection import NOTICE
from facecom.prosthesis.output.page import inspection_picture
from facecom.prosthesis.output.pictures import png_bytes
from facecom.provenance import Provenance

if TYPE_CHECKING:
    from facecom.prosthesis.part import Prosthesis

FORMAT, VERSION = "facecom-prosthesis", 1


def save_prosthesis(part: Prosthesis, directory: str | os.PathLike[str]) -> None:
    """Write all files of a part; see `Prosthesis.save`."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    attributes: dict[str, NDArray] = {
        "provenance": part.provenance.astype(np.int8),
        "sigma_mm": part.sigma_mm.astype(np.float32),
    }
    files = {
        "shell.stl": stl_bytes(part.shell),
        "shell.3mf": three_mf_bytes(part.shell, title="facial prosthesis, shell"),
        "shell.ply": ply_bytes(part.shell, attributes=attributes, exact=False),
        "mould_a.stl": stl_bytes(part.mould_a),
        "mould_b.stl": stl_bytes(part.mould_b),
        "inspection.png": png_bytes(inspection_picture(part)),
        "inspection.json": _json(part.inspection.to_dict()),
        "prosthesis.json": _json(_sidecar(part)),
    }
    for name, data in files.items():
        write_bytes(folder / name, data)


def _sidecar(part: Prosthesis) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "notice": NOTICE,
        "unit": "mm",
        "frame": "the scan's own",
        "axis": part.axis.tolist(),
        "scan_to_face": part.to_face.matrix().tolist(),
        "provenance": {kind.value: kind.label for kind in Provenance} | {-1: "not the outer face"},
        "shares": dict(part.inspection.shares),
        "seed": part.settings.seed,
        "settings": asdict(part.settings),
        "input_sha256": part.input_sha256,
        "versions": part.versions,
        "warnings": list(part.warnings),
    }


def _json(value: Any) -> bytes:
    return (json.dumps(_plain(value), indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _plain(value: Any) -> Any:
    """JSON has no NaN: null stands for what was not there to be measured."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def three_mf_bytes(mesh: Mesh, *, title: str) -> bytes:
    """A 3MF file of one solid, in millimetres; equal solids give equal bytes.

    Source: 3MF Core Specification 1.3, sections 2 to 4.

    Examples
    --------
    >>> data = three_mf_bytes(Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]), title="flat")
    >>> zipfile.ZipFile(io.BytesIO(data)).namelist()
    ['[Content_Types].xml', '_rels/.rels', '3D/3dmodel.model']
    """
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>'
    )
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rel0" '
        'Target="/3D/3dmodel.model" Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
    )
    corners = "".join(f'<vertex x="{x:.6g}" y="{y:.6g}" z="{z:.6g}"/>' for x, y, z in mesh.vertices.tolist())
    faces = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in mesh.faces.tolist())
    model = (
        '<model unit="millimeter" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02">'
        f'<metadata name="Title">{title}</metadata><resources><object id="1" type="model"><mesh><vertices>{corners}'
        f"</vertices><triangles>{faces}</triangles></mesh></object></resources>"
        '<build><item objectid="1"/></build></model>'
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for name, text in (("[Content_Types].xml", types), ("_rels/.rels", relations), ("3D/3dmodel.model", model)):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (head + text).encode())
    return stream.getvalue()
