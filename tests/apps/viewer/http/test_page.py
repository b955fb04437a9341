"""HTTP responses and their headers."""

import gzip
import http
from types import SimpleNamespace

import pytest

pytest.importorskip("websockets", reason="the viewer extra is not installed")

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.page import HEADERS, redirect_response, secured_response, text_response

PAGE = b"<html><title>Viser</title></html>"


def secured(path="/", *, host="127.0.0.1:8080", body=PAGE, encoding=None, cookie=None):
    headers = {"Content-Type": "text/html"} | ({"Content-Encoding": encoding} if encoding else {})
    response = SimpleNamespace(headers=headers, body=body, status_code=200)
    return secured_response(response, path, Limits(upload_mb=7), host=host, cookie=cookie)


def test_every_response_has_the_security_headers():
    for response in (text_response(http.HTTPStatus.FORBIDDEN, "no"), redirect_response("/x"), secured()):
        assert all(name in response.headers for name in HEADERS)
        assert int(response.headers["Content-Length"]) == len(response.body)


def test_the_page_has_our_title_and_limits_and_other_files_are_as_they_were():
    for response in (secured(), secured(body=gzip.compress(PAGE), encoding="gzip"), secured("/index.html?a=1")):
        assert b"<title>facecom</title>" in response.body and b'"bytes": 7000000' in response.body
        assert "Content-Encoding" not in response.headers
    assert secured("/app.js").body == PAGE


@pytest.mark.parametrize("host", ["evil; script-src *", "a b", "x'y", ""])
def test_no_host_name_reaches_the_policy_with_more_than_a_name(host):
    assert "ws:// " in secured(host=host).headers["Content-Security-Policy"]
    assert "ws://face.example:80 " in secured(host="face.example:80").headers["Content-Security-Policy"]


def test_cookies_are_kept_from_scripts_and_other_sites():
    assert redirect_response("/x", "a=b").headers["Set-Cookie"] == "a=b; Path=/; HttpOnly; SameSite=Strict"
    assert "Set-Cookie" not in redirect_response("/x").headers
