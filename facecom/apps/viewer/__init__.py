"""A web page on which scans are completed: upload, mark what is missing, complete, inspect, change, download."""

from facecom.apps.viewer.app import RunningViewer as RunningViewer
from facecom.apps.viewer.app import viewer as viewer
from facecom.apps.viewer.http.access import is_local as is_local
from facecom.apps.viewer.http.access import new_token as new_token
from facecom.apps.viewer.http.limits import Limits as Limits

__all__ = ["Limits", "RunningViewer", "is_local", "new_token", "viewer"]
