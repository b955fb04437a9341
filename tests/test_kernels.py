"""Numbers differ a little between processors, since BLAS picks its kernel by them; what is refused must not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

KERNELS = ("Nehalem", "Haswell", "Zen")  # SSE, AVX2 and AMD's: any x86-64 of the last ten years runs them
SCRIPT = """
import numpy as np
from facecom import AlignmentError, FitError, Mesh, complete
from facecom.completion import other_sizes

other_sizes.OTHER_FACTORS = ()  # the same search again at other sizes tells nothing new of a kernel


def grid(shape, rows=60, columns=60):
    u, v = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    at = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (x.ravel() for x in (at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]))
    return Mesh(np.stack(shape(u, v), axis=-1).reshape(-1, 3), np.concatenate([np.c_[a, b, c], np.c_[a, c, d]]))


def ball(u, v):
    polar, turn = 0.02 + 3.1 * u, 2 * np.pi * v
    return 100 * np.sin(polar) * np.cos(turn), 100 * np.sin(polar) * np.sin(turn), 100 * np.cos(polar)


def plane(u, v):
    return 200 * u, 200 * v, 0 * u


def cylinder(u, v):
    return 80 * np.cos(2 * np.pi * v), 250 * u, 80 * np.sin(2 * np.pi * v)


def strip(u, v):
    return 150 * u, 2 * v, 0 * u


shapes = {"ball": grid(ball), "plane": grid(plane), "cylinder": grid(cylinder), "strip": grid(strip, 200, 2)}
for name, mesh in shapes.items():
    try:
        complete(mesh, unit="mm")
    except (AlignmentError, FitError) as error:
        print(name, "refused", "face" in str(error))
"""


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_has_no_pose_is_refused_under_every_kernel(kernel):
    environment = os.environ | {"OPENBLAS_CORETYPE": kernel}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=Path(__file__).parents[1], capture_output=True, text=True
    )
    expected = [f"{name} refused True" for name in ("ball", "plane", "cylinder", "strip")]
    assert (done.returncode, done.stdout.splitlines()) == (0, expected), done.stderr
