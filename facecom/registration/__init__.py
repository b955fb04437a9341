"""Many scans in one topology: register them, carry landmarks over, and make a model of the set."""

from facecom.io.landmark_writers import write_landmarks as write_landmarks
from facecom.registration.correspondence import FailedRegistration as FailedRegistration
from facecom.registration.correspondence import register as register
from facecom.registration.correspondence import register_each as register_each
from facecom.registration.export import write_registrations as write_registrations
from facecom.registration.population import Superposed as Superposed
from facecom.registration.population import default_base_share as default_base_share
from facecom.registration.population import linear_model as linear_model
from facecom.registration.population import procrustes as procrustes
from facecom.registration.relax import RelaxSettings as RelaxSettings
from facecom.registration.types import Registration as Registration
from facecom.registration.types import RegistrationSettings as RegistrationSettings

__all__ = [
    "FailedRegistration",
    "Registration",
    "RegistrationSettings",
    "RelaxSettings",
    "Superposed",
    "default_base_share",
    "linear_model",
    "procrustes",
    "register",
    "register_each",
    "write_landmarks",
    "write_registrations",
]
