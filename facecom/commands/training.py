"""`facecom train`: faces from a folder or from the shipped model, and a network generator from them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facecom.commands.running import ProgressBar
from facecom.errors import ScanError
from facecom.geometry.mesh import Ints, Mesh
from facecom.geometry.transform import fit_similarity
from facecom.geometry.units import MM_PER_UNIT

if TYPE_CHECKING:
    from facecom.model.template import Template

MESH_SUFFIXES = (".ply", ".obj", ".stl", ".glb", ".off")


def train(options: argparse.Namespace) -> None:
    """Train a network generator."""
    from facecom.model.augmentation import augmented_faces
    from facecom.model.expressions import ExpressionBasis
    from facecom.model.linear.generator import LinearGenerator
    from facecom.model.network.mesh_network import Sizes
    from facecom.model.network.training import TrainSettings, iterate_training

    sizes = Sizes(code=options.code)
    settings = TrainSettings(sizes=sizes, epochs=options.epochs, precision=options.precision, seed=options.seed)
    model = LinearGenerator.load()
    is_main = os.environ.get("RANK", "0") == "0"  # of several processes one prints
    bar = ProgressBar("train", quiet=options.quiet or not is_main or not sys.stderr.isatty())
    bar.show("faces", 0.0)
    if options.data:
        faces = on_template(*read_faces(options.data), model.template)
    else:
        faces = augmented_faces(model, options.faces, seed=options.seed, expressions=ExpressionBasis.load())
    for state in iterate_training(faces, model.template, options.out, settings=settings, resume=not options.fresh):
        bar.show(f"{state.error_mm:.3f} mm", (state.epoch + 1) / state.epochs)
    bar.close()
    if is_main:
        print(f"model of {options.code} entries from {len(faces)} faces written to {options.out}")


def read_faces(folder: Path) -> tuple[np.ndarray, Ints]:
    """Read all meshes of a folder, but for the mean that `facecom register` writes beside them.

    Returns
    -------
    vertices : (N, V, 3) float32
    faces : (F, 3) int, which all meshes share

    Raises
    ------
    ScanError
        When there are none, one cannot be read, or their topology differs.
    """
    from facecom.io.files import read_scan
    from facecom.registration.export import MEAN

    if not folder.is_dir():
        raise ScanError(f"{folder} is not a folder; give a folder of registered faces")
    files = sorted(p for p in folder.glob("*") if p.suffix in MESH_SUFFIXES and p.name != MEAN)
    if not files:
        raise ScanError(f"{folder} holds no meshes; give a folder of registered faces")
    first = read_scan(files[0])
    out = np.empty((len(files), *first.vertices.shape), np.float32)
    for k, path in enumerate(files):
        mesh = read_scan(path)
        if mesh.faces.shape != first.faces.shape or not np.array_equal(mesh.faces, first.faces):
            raise ScanError(f"{path} has other triangles than {files[0].name}; register them to one topology first")
        out[k] = mesh.vertices
    return out, first.faces


def on_template(faces: np.ndarray, triangles: Ints, template: Template) -> np.ndarray:
    """Faces (N, V, 3) in the template's topology, mm, face frame, from the frame and unit that each of them has.

    Those of another topology are transferred, by completing their mean; their unit is read off its size.
    """
    from facecom.model.template import FINEST_LEVEL, SHAPE_LEVEL

    if any(np.array_equal(triangles, template.faces[level]) for level in (SHAPE_LEVEL, FINEST_LEVEL)):
        return np.stack([_in_face_frame(face, template) for face in faces])
    from facecom.completion import complete
    from facecom.model.adapters.registered_faces import faces_on_template, procrustes_aligned

    aligned = procrustes_aligned(faces)
    mean = complete(Mesh(aligned.mean(axis=0), triangles))
    return faces_on_template(aligned, triangles, template, registered=mean.face.vertices, pose=mean.pose)


def _in_face_frame(face: np.ndarray, template: Template) -> np.ndarray:
    """A face (V, 3) on the template in mm, superimposed on the mean face; `register` leaves it where its scan was."""
    mean = template.vertices[: len(face)]
    size = fit_similarity(face, mean, with_scale=True).scale
    in_mm = min(MM_PER_UNIT.values(), key=lambda mm: abs(np.log(size / mm))) * np.asarray(face, float)
    return fit_similarity(in_mm, mean).apply(in_mm).astype(np.float32)
