"""Meshes of other packages in, and out again; none of them is imported until it is asked for."""

from __future__ import annotations

import logging
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecom.errors import MissingDependency, ScanError, need
from facecom.geometry.mesh import Mesh
from facecom.io.files import read_scan_file
from facecom.io.parsed_mesh import color_bytes, no_faces
from facecom.io.reading_warnings import collecting
from facecom.io.texture import with_texture_colors

log = logging.getLogger(__name__)


def as_mesh(scan: Any) -> Mesh:
    """Any common form of a scan as a `Mesh`, in its own unit and vertex order; nothing is merged or dropped.

    Parameters
    ----------
    scan : a path to a file that `read_scan` reads; a Mesh; a trimesh mesh, scene or point cloud; an Open3D mesh or
        point cloud (legacy or tensor); PyTorch3D Meshes or Pointclouds of one element; a PyVista PolyData; a pair
        (vertices, faces) of arrays or torch tensors; or (N, 3) points

    Raises
    ------
    ScanError
        When a file cannot be read, or there is no finite vertex.
    ValueError
        When the object is none of these, or its arrays do not fit together.

    Examples
    --------
    >>> as_mesh((np.eye(3), [[0, 1, 2]])).faces.shape
    (1, 3)
    """
    mesh, said = mesh_and_warnings(scan)
    for text in said:
        log.warning("%s: %s", scan, text)
    return mesh


def mesh_and_warnings(scan: Any) -> tuple[Mesh, tuple[str, ...]]:
    """What `as_mesh` gives, and what could not be read or was guessed, as sentences, which are not logged then.

    Examples
    --------
    >>> mesh_and_warnings((np.eye(3), [[0, 1, 2]]))[1]
    ()
    """
    if isinstance(scan, Mesh):
        return scan, ()
    if isinstance(scan, str | os.PathLike):
        file = read_scan_file(scan)
        with collecting() as said:
            mesh = with_texture_colors(file)
        return mesh, (*file.warnings, *said)
    return _finite(_converted(scan), scan), ()


def _finite(mesh: Mesh, scan: Any) -> Mesh:
    """A converted mesh that has a vertex with a place."""
    if not np.isfinite(mesh.vertices).all(axis=1).any():
        raise ScanError(f"the {type(scan).__name__} given as a scan has no finite vertex; check where it comes from")
    return mesh


def _converted(scan: Any) -> Mesh:
    """By the names of its attributes, so that no package needs to be installed to recognise another's object."""

    def has(*names: str) -> bool:
        return all(hasattr(scan, name) for name in names)

    if has("verts_list", "faces_list"):
        vertices, faces = (_single(values(), "mesh") for values in (scan.verts_list, scan.faces_list))
        return Mesh(_array(vertices), _array(faces), colors=_pytorch3d_colors(scan))
    if has("points_list"):
        return Mesh(_array(_single(scan.points_list(), "cloud")), no_faces())
    if has("vertex", "triangle"):
        return _open3d_tensor(scan.vertex, scan.triangle.indices if "indices" in scan.triangle else no_faces())
    if has("point", "to_legacy"):
        return _open3d_tensor(scan.point, no_faces())
    if has("vertices", "triangles", "vertex_colors"):
        return _open3d_legacy(scan, scan.vertices, scan.triangles, scan.vertex_colors, scan.vertex_normals)
    if has("points", "colors", "normals", "has_points"):
        return _open3d_legacy(scan, scan.points, no_faces(), scan.colors, scan.normals)
    if has("points", "point_data", "triangulate"):
        return _pyvista(scan)
    if has("geometry", "graph", "to_mesh"):
        return _trimesh(scan.to_mesh())
    if has("vertices", "metadata"):
        return _trimesh(scan)
    if isinstance(scan, tuple | list) and len(scan) == 2:
        return Mesh(_array(scan[0]), _array(scan[1]))
    if has("shape") and len(scan.shape) == 2 and scan.shape[1] == 3:
        return Mesh(_array(scan), no_faces())
    raise ValueError(
        f"a {type(scan).__name__} is no scan; give a path, a mesh or cloud of trimesh, Open3D, PyTorch3D or PyVista, "
        "(vertices, faces), or (N, 3) points"
    )


def _array(values: Any) -> NDArray:
    """NumPy array of an array, a list, or a tensor on any device."""
    for step in ("detach", "cpu", "numpy"):
        values = getattr(values, step)() if hasattr(values, step) else values
    return np.asarray(values)


def _single(elements: list[Any], what: str) -> Any:
    if len(elements) != 1:
        raise ValueError(f"expected one {what} as a scan, got a batch of {len(elements)}; pass them one by one")
    return elements[0]


def _pytorch3d_colors(scan: Any) -> NDArray | None:
    features = getattr(getattr(scan, "textures", None), "verts_features_list", None)
    colors = _array(features()[0]) if features else None
    return colors if colors is not None and colors.ndim == 2 and colors.shape[1] == 3 else None


def _open3d_tensor(vertex: Any, faces: Any) -> Mesh:
    colors, normals = (_array(vertex[name]) if name in vertex else None for name in ("colors", "normals"))
    if colors is not None and colors.dtype.kind in "ui":
        colors = colors / np.iinfo(colors.dtype).max
    return Mesh(_array(vertex["positions"]), _array(faces), colors=colors, normals=normals)


def _open3d_legacy(scan: Any, vertices: Any, faces: Any, colors: Any, normals: Any) -> Mesh:
    def given(values: Any) -> NDArray | None:
        return _array(values) if len(values) else None

    return Mesh(_array(vertices), _array(faces), colors=given(colors), normals=given(normals))


def _trimesh(scan: Any) -> Mesh:
    visual = getattr(scan, "visual", None)
    uv = getattr(visual, "uv", None)
    vertex_colors = getattr(visual, "vertex_colors", None) if getattr(visual, "kind", None) == "vertex" else None
    colors = getattr(scan, "colors", None) if vertex_colors is None else vertex_colors
    table = np.zeros(0) if colors is None else np.asarray(colors)
    colors = table[:, :3] / 255 if table.ndim == 2 and len(table) == len(scan.vertices) else None
    faces = getattr(scan, "faces", no_faces())
    return Mesh(_array(scan.vertices), _array(faces), uv=uv, colors=colors)


def _pyvista(scan: Any) -> Mesh:
    triangles = scan if scan.is_all_triangles else scan.triangulate()
    faces = no_faces() if scan.n_verts == scan.n_cells else _array(triangles.regular_faces)
    colors = _array(scan.point_data["colors"]) if "colors" in scan.point_data else None
    if colors is not None and colors.dtype.kind in "ui":
        colors = colors / 255
    return Mesh(_array(scan.points), faces, colors=colors)


def to_trimesh(mesh: Mesh) -> Any:
    """The mesh as a `trimesh.Trimesh`, or a `trimesh.PointCloud` where it has no faces; no vertex is merged.

    Raises
    ------
    MissingDependency
        When trimesh is not installed.
    """
    trimesh = need("trimesh")
    colors = None if mesh.colors is None else color_bytes(mesh.colors)
    if not len(mesh.faces):
        return trimesh.PointCloud(mesh.vertices.copy(), colors=colors)
    out = trimesh.Trimesh(mesh.vertices.copy(), mesh.faces.copy(), vertex_colors=colors, process=False)
    if colors is None and mesh.uv is not None:
        out.visual = trimesh.visual.TextureVisuals(uv=mesh.uv.copy())
    return out


def to_open3d(mesh: Mesh) -> Any:
    """The mesh as an `open3d.geometry.TriangleMesh`, or a `PointCloud` where it has no faces.

    Raises
    ------
    MissingDependency
        When Open3D is not installed.
    """
    o3d = need("open3d")
    vectors = o3d.utility.Vector3dVector
    cloud = not len(mesh.faces)
    if cloud:
        out = o3d.geometry.PointCloud(vectors(mesh.vertices.copy()))
    else:
        out = o3d.geometry.TriangleMesh(vectors(mesh.vertices.copy()), o3d.utility.Vector3iVector(mesh.faces.copy()))
    for name, values in (("colors", mesh.colors), ("normals", mesh.normals)):
        if values is not None:
            setattr(out, name if cloud else f"vertex_{name}", vectors(values.copy()))
    return out


def to_pytorch3d(mesh: Mesh, *, device: str = "cpu") -> Any:
    """The mesh as PyTorch3D `Meshes` of one float32 mesh, or `Pointclouds` where it has no faces.

    Raises
    ------
    MissingDependency
        When PyTorch3D is not installed; it has no wheels and is built from source.
    """
    try:
        structures, renderer = need("pytorch3d.structures"), need("pytorch3d.renderer")
    except MissingDependency:
        raise MissingDependency(
            "pytorch3d is needed for this and not installed; build it from source as docs/installation.md says"
        ) from None
    torch = need("torch")
    vertices = torch.tensor(mesh.vertices, dtype=torch.float32, device=device)
    colors = None if mesh.colors is None else torch.tensor(mesh.colors, dtype=torch.float32, device=device)
    if not len(mesh.faces):
        return structures.Pointclouds(points=[vertices], features=None if colors is None else [colors])
    faces = torch.tensor(mesh.faces, dtype=torch.int64, device=device)
    textures = None if colors is None else renderer.TexturesVertex(verts_features=[colors])
    return structures.Meshes(verts=[vertices], faces=[faces], textures=textures)


def to_pyvista(mesh: Mesh) -> Any:
    """The mesh as a `pyvista.PolyData`, colours as point data "colors" in 0..1.

    Raises
    ------
    MissingDependency
        When PyVista is not installed.
    """
    pyvista = need("pyvista")
    if len(mesh.faces):
        out = pyvista.PolyData.from_regular_faces(mesh.vertices.copy(), mesh.faces.copy())
    else:
        out = pyvista.PolyData(mesh.vertices.copy())
    for name, values in (("colors", mesh.colors), ("Normals", mesh.normals)):
        if values is not None:
            out.point_data[name] = values.copy()
    return out


class Convertible:
    """A result whose main surface is `mesh`: gives it to other packages, where those are installed."""

    @property
    def mesh(self) -> Mesh:
        """The surface that is converted."""
        raise NotImplementedError(f"{type(self).__name__} does not say which of its surfaces is converted")

    def to_trimesh(self) -> Any:
        """The surface as a `trimesh.Trimesh`."""
        return to_trimesh(self.mesh)

    def to_open3d(self) -> Any:
        """The surface as an `open3d.geometry.TriangleMesh`."""
        return to_open3d(self.mesh)

    def to_pytorch3d(self, *, device: str = "cpu") -> Any:
        """The surface as PyTorch3D `Meshes` of one mesh."""
        return to_pytorch3d(self.mesh, device=device)

    def to_pyvista(self) -> Any:
        """The surface as a `pyvista.PolyData`."""
        return to_pyvista(self.mesh)
