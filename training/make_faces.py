"""Draw a pool of training faces: the built-in population, heads that artists made, expressions, a jaw that turns.

python -m training.make_faces --count 2560 --out FACES.npy [--makehuman ...npz] [--vitruvian FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from facecom.model.augmentation import augmented_faces
from facecom.model.expressions import ExpressionBasis
from facecom.model.linear.generator import LinearGenerator
from training.artist_modes import placed, sources, transferred


def build(options: argparse.Namespace) -> np.ndarray:
    """Faces (count, V2, 3) float32, mm."""
    model = LinearGenerator.load()
    others = []
    for heads in sources(options):
        moved = transferred(heads, placed(heads), model.template)
        others.append(moved - moved.mean(axis=0))
    return augmented_faces(
        model, options.count, seed=options.seed, expressions=ExpressionBasis.load(), displacements=others
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2560)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--makehuman", type=Path)
    parser.add_argument("--vitruvian", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.save(options.out, build(options))


if __name__ == "__main__":
    main()
