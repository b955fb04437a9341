"""Draw faces of the population: python -m training.draw_samples docs/images/population.png

With --makehuman and --vitruvian, heads that artists made are drawn too, as they lie on the template. Prints how much
the faces vary.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from facecom.geometry.mesh import Floats, Mesh
from facecom.geometry.transform import fit_similarity
from facecom.model.augmentation import augmented_faces
from facecom.model.expressions import ExpressionBasis
from facecom.model.linear.expressive import ExpressiveGenerator
from facecom.model.linear.generator import LinearGenerator
from facecom.model.population import mirrored
from facecom.model.sampling import interpolate, sample_codes
from facecom.model.template import SHAPE_LEVEL
from training.artist_modes import placed, sources, transferred
from training.draw_template import picture
from training.train_linear import face_core

COLUMNS = 7
FRONT, TURNED = (0, 0, (0, 10, -65), 125), (-40, 0, (0, 10, -65), 125)
EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.4},
    {"mouthSmile_L": 0.8, "mouthSmile_R": 0.8},
    {"eyeBlink_L": 1.0, "eyeBlink_R": 1.0},
    {"browInnerUp_L": 0.8, "browInnerUp_R": 0.8},
    {"mouthPucker": 0.8},
    {"mouthLeft": 0.7},
)


def rows_of(options: argparse.Namespace) -> list[tuple[str, list[Floats], tuple[object, ...]]]:
    """Title, vertices on level 2 and view of each row."""
    model = LinearGenerator.load()
    mean = model.template.vertices[: model.template.counts[SHAPE_LEVEL]]
    codes = sample_codes(model, COLUMNS, seed=options.seed)
    faces = list(model.decode(codes, level=SHAPE_LEVEL))
    moving = ExpressiveGenerator(model)
    way = interpolate(codes[0], codes[1], COLUMNS)
    person = codes[2]
    rows: list[tuple[str, list[Floats], tuple[object, ...]]] = [
        ("random faces", faces, FRONT),
        ("the same, turned", faces, TURNED),
        ("from one to another", list(model.decode(way, level=SHAPE_LEVEL)), FRONT),
        (
            "one person, moving",
            [moving.decode(moving.compose(person, m), level=SHAPE_LEVEL) for m in EXPRESSIONS],
            TURNED,
        ),
        (
            "training pool",
            list(augmented_faces(model, COLUMNS, seed=options.seed, expressions=ExpressionBasis.load())),
            TURNED,
        ),
    ]
    for heads in sources(options):
        moved = transferred(heads, placed(heads), model.template)[:COLUMNS]
        rows.append((heads.credit.split(",")[0], [mean + offset for offset in moved], TURNED))
    return rows


def variation(count: int, seed: int) -> str:
    """How much random faces vary: size of the face, distance to the mean, and left-right difference, in mm."""
    model = LinearGenerator.load()
    mirror = model.template.mirror[: model.template.counts[1]]
    mean = model.template.vertices[: len(mirror)]
    core = face_core(mean)
    faces = model.decode(sample_codes(model, count, seed=seed), level=1)
    height = np.ptp(faces[:, core, 1], axis=1)
    width = np.ptp(faces[:, core, 0], axis=1)
    apart, uneven = [], []
    for face in faces:
        apart.append(
            np.linalg.norm(fit_similarity(face[core], mean[core]).apply(face[core]) - mean[core], axis=1).mean()
        )
        other = mirrored(face, mirror)
        uneven.append(
            np.linalg.norm(fit_similarity(other[core], face[core]).apply(other[core]) - face[core], axis=1).mean()
        )
    return (
        f"{count} random faces: width {width.mean():.0f} +- {width.std():.0f} mm, height {height.mean():.0f} +- "
        f"{height.std():.0f} mm, from the mean face {np.mean(apart):.2f} mm, from the own mirror image "
        f"{np.mean(uneven):.2f} mm (90 % below {np.quantile(uneven, 0.9):.2f})"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("--makehuman", type=Path)
    parser.add_argument("--vitruvian", type=Path)
    parser.add_argument("--size", type=int, default=190, help="pixels of one view")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    faces, lines = LinearGenerator.load().template.faces[SHAPE_LEVEL], []
    for _, shapes, view in rows_of(options):
        grey = np.full((len(shapes[0]), 3), 0.92)
        lines.append([picture(Mesh(shape, faces), view, options.size, grey, False) for shape in shapes])  # type: ignore[arg-type]
    image = Image.fromarray(np.concatenate([np.concatenate(line, axis=1) for line in lines]))
    image.quantize(64).save(options.image, optimize=True)
    print(variation(200, options.seed))


if __name__ == "__main__":
    main()
