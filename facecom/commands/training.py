"""`facecom train`: faces from a folder or from the shipped model, and a network generator from them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facecom.commands.running import ProgressBar
from facecom.errors import ScanError
from facecom.geometry.mesh import Floats, Ints, Mesh

if TYPE_CHECKING:
    from facecom.model.linear.generator import LinearGenerator
    from facecom.model.template import Template


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
    description: dict[str, int] = {}
    if options.data:
        faces, real, about = training_faces(options, model)
        description["faces"] = real
        if is_main:
            print(about)
    else:
        faces = augmented_faces(model, options.faces, seed=options.seed, expressions=ExpressionBasis.load())
    run = iterate_training(
        faces, model.template, options.out, settings=settings, resume=not options.fresh, description=description
    )
    for state in run:
        bar.show(f"{state.error_mm:.3f} mm", (state.epoch + 1) / state.epochs)
    bar.close()
    if is_main:
        print(f"model of {options.code} entries from {len(faces)} faces written to {options.out}")


def training_faces(options: argparse.Namespace, model: LinearGenerator) -> tuple[np.ndarray, int, str]:
    """The faces to train on, mm, face frame, on a level of the template; of how many they are made, and a sentence.

    A network learns nothing of a few faces: of fewer than ten, others like them are drawn, from a linear model of them
    that keeps a share of the shipped one.

    Raises
    ------
    ScanError
        When the folder holds no set of registered faces, or too few.
    """
    from facecom.model.augmentation import augmented_faces
    from facecom.model.expressions import ExpressionBasis
    from facecom.registration import default_base_share, linear_model
    from facecom.registration.population import FEW_FACES, LEAST_FACES
    from facecom.registration.reading import read_registered, registration_report

    if not options.data.is_dir():
        raise ScanError(f"{options.data} is not a folder; give a folder of registered faces")
    if registration_report(options.data) is not None:
        faces = read_registered(options.data, model.template).astype(np.float32)
    else:
        names = [str(path) for path in face_files(options.data)]
        faces = on_template(*read_faces(options.data), model.template, names=names)
    if len(faces) < LEAST_FACES:
        raise ScanError(f"{options.data} holds {len(faces)} faces; a model needs {LEAST_FACES} at least")
    share = default_base_share(len(faces)) if options.base_share is None else options.base_share
    if len(faces) >= FEW_FACES and not share:
        return faces, len(faces), f"{len(faces)} faces from {options.data}"
    mixed = linear_model([on_finest_level(face, model.template) for face in faces], model, base_share=share)
    drawn = augmented_faces(mixed, options.faces, seed=options.seed, expressions=ExpressionBasis.load())
    about = f"{len(faces)} faces from {options.data}: {len(drawn)} are drawn from a linear model of them, "
    about += f"with {share:.0%} of the shipped model's variance added"
    return drawn, len(faces), about


def on_finest_level(face: np.ndarray, template: Template) -> Floats:
    """A face (V, 3) of any level from `SHAPE_LEVEL` on, on the finest one: what it lacks is smooth."""
    from facecom.model.template import FINEST_LEVEL, SHAPE_LEVEL

    count = len(face)
    if count == template.counts[FINEST_LEVEL]:
        return np.asarray(face, float)
    moved = np.asarray(face, float) - template.vertices[:count]
    fine = template.vertices + template.prolong(moved, from_level=SHAPE_LEVEL, to_level=FINEST_LEVEL, scheme="loop")
    fine[:count] = face
    return fine


def read_faces(folder: Path) -> tuple[np.ndarray, Ints]:
    """Read all meshes of a folder.

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

    files = face_files(folder)
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


def face_files(folder: Path) -> list[Path]:
    """The files of a folder that can hold triangles, in the order of their names."""
    from facecom.io.files import CLOUDS, READABLE

    return sorted(p for p in folder.glob("*") if p.suffix.lower() in READABLE and p.suffix.lower() not in CLOUDS)


def on_template(
    faces: np.ndarray, triangles: Ints, template: Template, *, names: Sequence[str] | None = None
) -> np.ndarray:
    """Faces (N, V, 3) in the template's topology: those of another one are transferred, by completing their mean.

    names : of their files, for messages

    Raises
    ------
    ScanError
        When a face on the template is not in the face frame in mm.
    """
    from facecom.model.template import FINEST_LEVEL, SHAPE_LEVEL
    from facecom.registration.reading import check_face_frame

    if any(np.array_equal(triangles, template.faces[level]) for level in (SHAPE_LEVEL, FINEST_LEVEL)):
        for k, face in enumerate(faces):
            check_face_frame(face, template, Path(names[k] if names else f"face {k + 1}"))
        return faces
    from facecom.completion import complete
    from facecom.model.adapters.registered_faces import faces_on_template, procrustes_aligned

    aligned = procrustes_aligned(faces)
    mean = complete(Mesh(aligned.mean(axis=0), triangles))
    return faces_on_template(aligned, triangles, template, registered=mean.face.vertices, pose=mean.pose)
