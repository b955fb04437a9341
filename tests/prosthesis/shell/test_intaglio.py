"""The intaglio lies a wall behind the outer face, and nothing hangs from its border."""

import numpy as np
import scipy.sparse as sp

from facecom.geometry.mesh import Mesh
from facecom.prosthesis.shell.margin_outline import ShellSurfaces
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.shell import build_shell
from facecom.prosthesis.solid.booleans import to_mesh


def test_nothing_hangs_from_a_border_beyond_which_the_skin_drops(workshop):
    across, along = np.arange(-9.0, 13.1, 0.5), np.arange(-12.0, 12.1, 0.5)
    u, v = (a.ravel() for a in np.meshgrid(across, along, indexing="ij"))
    k = np.arange(len(u)).reshape(len(across), -1)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    # Straight down beyond x = 9, as skin goes into a mouth.
    mesh = Mesh(
        np.stack([np.minimum(u, 9.0), v, np.minimum(9.0 - u, 0.0)], 1),
        np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]),
    )
    defect_distance = 3.0 - np.maximum(np.abs(u), np.abs(v) - 3.0)
    extended = OuterSurface(mesh, defect_distance, defect_distance + 5.0, sp.identity(len(u), format="csr"))
    inside = ((u <= 9.0) & (np.abs(v) <= 9.0))[mesh.faces].all(1)
    cut, used = mesh.submesh(inside)
    outer = OuterSurface(cut, extended.defect_distance[used], extended.border_distance[used], extended.weights[used])
    ground = mesh.with_vertices(mesh.vertices - [0.0, 0.0, 20.0])
    built = build_shell(
        ShellSurfaces(outer, extended, ground), thickness=workshop.thickness, rotation=np.eye(3), grid_mm=0.7
    )
    part = to_mesh(built.solid)
    beside = part.vertices[:, 0] > 8.0
    assert beside.sum() > 20 and part.vertices[beside, 2].min() > -workshop.thickness.lip - 2 * 0.7
