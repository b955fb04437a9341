"""A local web page: see a scan, mark what is missing, complete it, look at the layers, change it, take it home."""

from facecom.apps.viewer.app import Running as Running
from facecom.apps.viewer.app import viewer as viewer
from facecom.apps.viewer.http.access import is_local as is_local
from facecom.apps.viewer.http.access import new_token as new_token
from facecom.apps.viewer.http.limits import Limits as Limits

__all__ = ["Limits", "Running", "is_local", "new_token", "viewer"]
