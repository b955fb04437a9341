"""Other methods that complete a face, behind one signature, to compare on the same scan.

Each takes the partial scan and a whole face that already lies on it (a mean face or a fit), both in one frame in mm,
and returns a whole face. What they are given, the pose, is more than `facecom.complete` gets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType

import numpy as np

from facecom.errors import need
from facecom.geometry.mesh import Mesh, boundary_loops, vertex_normals

Baseline = Callable[[Mesh, Mesh], Mesh]


def given_face(scan: Mesh, face: Mesh) -> Mesh:
    """Return the whole face as it was given: what a method must beat to be worth its time.

    Examples
    --------
    >>> face = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    >>> given_face(face, face) is face
    True
    """
    return face


def nricp(scan: Mesh, face: Mesh, *, gate_mm: float | None = None) -> Mesh:
    """Register the face to the scan by trimesh's `nricp_amberg` (Amberg et al. 2007).

    Parameters
    ----------
    scan, face : Mesh
    gate_mm : float or None
        Points of the scan farther away are rejected; None leaves trimesh's own 0.1 of the face's diagonal, some 30 mm,
        which flattens a nose into its hole.

    Raises
    ------
    MissingDependency
        Without rtree, which trimesh needs for closest points.
    """
    need("rtree", extra="peers")
    trimesh = need("trimesh")
    source = trimesh.Trimesh(face.vertices, face.faces, process=False)
    target = trimesh.Trimesh(scan.vertices, scan.faces, process=False)
    gate = {} if gate_mm is None else {"distance_threshold": gate_mm / source.scale}
    return face.with_vertices(trimesh.registration.nricp_amberg(source, target, **gate))


def poisson(scan: Mesh, face: Mesh, *, depth: int = 8) -> Mesh:
    """Reconstruct the scan's points by Open3D's screened Poisson method (Kazhdan and Hoppe 2013); `face` is not used.

    Parameters
    ----------
    scan, face : Mesh
    depth : int
        Levels of the octree; the result has about 2**depth cells along its longest side.
    """
    o3d = need("open3d")
    # Open3D takes the memory of what it is given, which a mesh does not let go.
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(scan.vertices.copy()))
    cloud.normals = o3d.utility.Vector3dVector(vertex_normals(scan.vertices, scan.faces))
    made, _ = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(cloud, depth=depth, n_threads=1)
    return Mesh(np.asarray(made.vertices), np.asarray(made.triangles))


def close_holes(scan: Mesh, face: Mesh) -> Mesh:
    """Fill every hole but the longest, the scan's own border, by pymeshlab's `meshing_close_holes`; `face` is not used.

    Raises
    ------
    MissingDependency
        Without pymeshlab.
    """
    pymeshlab = need("pymeshlab", extra="peers")
    lengths = [len(loop) for loop in boundary_loops(scan.faces)]
    if len(lengths) < 2:
        return scan
    meshes = pymeshlab.MeshSet()
    meshes.add_mesh(pymeshlab.Mesh(scan.vertices, scan.faces.astype(np.int32)))
    meshes.meshing_close_holes(maxholesize=lengths[1] + 1)  # it fills holes of fewer edges
    made = meshes.current_mesh()
    return Mesh(made.vertex_matrix(), made.face_matrix())


BASELINES: MappingProxyType[str, Baseline] = MappingProxyType(
    {
        "given face": given_face,
        "trimesh nricp": nricp,
        "trimesh nricp, 1 mm gate": partial(nricp, gate_mm=1.0),
        "Open3D Poisson": poisson,
        "pymeshlab close holes": close_holes,
    }
)
