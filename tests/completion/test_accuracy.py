"""The gate of accuracy: seven defects in faces drawn from the model, which a loss of a tenth does not pass.

The figures are those that these very cases give. BLAS kernels change them by less than 1e-5 mm, so that a bound a
few hundredths above leaves room for nothing but a change of the code.
"""

import numpy as np
import pytest

from facecom.completion import complete
from facecom.evaluation.partial_scans import ScanSettings, partial_scan
from facecom.geometry.closest_points import Surface
from facecom.model.linear.generator import LinearGenerator

CASES_MM = {
    ("nose", 3): (0.838, 0.069),
    ("nose", 8): (0.959, 0.096),
    ("orbit", 1): (0.238, 0.065),
    ("cheek", 2): (0.120, 0.067),
    ("mouth", 7): (0.486, 0.066),
    ("chin", 4): (0.498, 0.066),
    ("half", 5): (0.768, 0.070),
}
"""(defect, seed) -> mean distance to the completed face of what was missing, and of what was observed."""
SLACK_ALL, SLACK_ONE = 1.04, 1.08
"""How far the mean over all cases, and a single case, may lie above."""


def errors(defect, seed, model):
    """Mean distance in mm of the missing and of the observed vertices to the completed face."""
    face = model.sample(seed, level=2)
    face = face.submesh((face.vertices[face.faces][..., 2] > -75.0).all(1))[0]
    partial = partial_scan(face, defect, seed=seed, settings=ScanSettings(noise_mm=0.1, max_angle=0.3))
    completed = Surface(complete(partial.scan, model=model, unit="mm").face)
    observed = np.unique(partial.vertex)
    missing = np.setdiff1d(np.arange(len(face.vertices)), observed)
    truth = partial.pose.apply(face.vertices)
    return [float(completed.closest(truth[pick]).distance.mean()) for pick in (missing, observed)]


@pytest.mark.slow
def test_no_tenth_of_the_accuracy_is_lost():
    model = LinearGenerator.load()
    found = np.array([errors(defect, seed, model) for defect, seed in CASES_MM])
    known = np.array(list(CASES_MM.values()))
    assert (found <= SLACK_ONE * known).all(), dict(zip(CASES_MM, found.round(3).tolist(), strict=True))
    assert (found.mean(axis=0) <= SLACK_ALL * known.mean(axis=0)).all(), found.mean(axis=0)
