"""3MF files of a solid."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from facecom.geometry.mesh import Mesh

COMPRESS_LEVEL = 3
"""Of zlib: quick rather than small."""
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The time of every entry, the earliest that zip files can hold, so that equal solids give equal bytes."""

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>'
)
_RELATIONSHIPS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rel0" '
    'Target="/3D/3dmodel.model" Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)


def three_mf_bytes(mesh: Mesh, *, title: str) -> bytes:
    """A 3MF file of one solid, in millimetres; equal solids give equal bytes.

    Source: 3MF Core Specification 1.3, sections 2 to 4.

    Parameters
    ----------
    mesh : Mesh, mm
    title : plain text without markup

    Examples
    --------
    >>> data = three_mf_bytes(Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]), title="flat")
    >>> zipfile.ZipFile(io.BytesIO(data)).namelist()
    ['[Content_Types].xml', '_rels/.rels', '3D/3dmodel.model']
    """
    entries = {
        "[Content_Types].xml": _CONTENT_TYPES,
        "_rels/.rels": _RELATIONSHIPS,
        "3D/3dmodel.model": _model(mesh, title),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESS_LEVEL) as archive:
        for name, text in entries.items():
            entry = zipfile.ZipInfo(name, date_time=EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (_XML + text).encode())
    return stream.getvalue()


def _model(mesh: Mesh, title: str) -> str:
    # The float32 numbers of the part's other files, to the last bit: nine digits tell each from its neighbours.
    places = mesh.vertices.astype(np.float32).tolist()
    vertices = "".join(f'<vertex x="{x:.9g}" y="{y:.9g}" z="{z:.9g}"/>' for x, y, z in places)
    faces = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in mesh.faces.tolist())
    return (
        '<model unit="millimeter" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02">'
        f'<metadata name="Title">{title}</metadata><resources><object id="1" type="model"><mesh><vertices>{vertices}'
        f"</vertices><triangles>{faces}</triangles></mesh></object></resources>"
        '<build><item objectid="1"/></build></model>'
    )
