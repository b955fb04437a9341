"""Who is let in."""

import pytest

from facecom.apps.viewer.http.access import Access, AccessDecision, is_local, new_token

TOKEN = "a token of some length"
HERE = ["127.0.0.1:8080"]


@pytest.fixture
def guarded():
    return Access(TOKEN, local_only=False)


def cookie(access):
    return [f"other=1; facecom={access.cookie_value()}"]


def test_local_addresses():
    assert all(map(is_local, ["127.0.0.1", "127.5.5.5", "localhost", "::1"]))
    assert not any(map(is_local, ["0.0.0.0", "::", "10.0.0.1", "face.example", ""]))


def test_without_the_token_nobody_enters(guarded):
    for target in ("/", "/?token=", "/?token=wrong", "/?token=" + TOKEN[:-1], "/anything", f"/{TOKEN}"):
        assert guarded.decide(target, host=HERE) is AccessDecision.NO_TOKEN, target
    for value in ("", "x", TOKEN, guarded.cookie_value()[:-1], "ü"):
        assert guarded.decide("/", host=HERE, cookie=[f"facecom={value}"]) is AccessDecision.NO_TOKEN, value


def test_the_token_opens_and_its_cookie_keeps_open(guarded):
    target = "/?token=a%20token%20of%20some%20length"
    assert guarded.decide(target, host=HERE) is AccessDecision.SET_COOKIE
    assert guarded.decide("/", host=HERE, cookie=cookie(guarded)) is AccessDecision.ALLOW
    assert TOKEN not in guarded.cookie_value()


def test_a_cookie_of_another_run_is_worth_nothing(guarded):
    assert guarded.decide("/", host=HERE, cookie=cookie(Access(TOKEN, local_only=False))) is AccessDecision.NO_TOKEN


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1"])
def test_pages_of_other_sites_are_turned_away_even_with_the_cookie(guarded, origin):
    assert guarded.decide("/", host=HERE, origin=[origin], cookie=cookie(guarded)) is AccessDecision.FOREIGN
    assert Access(None, local_only=True).decide("/", host=HERE, origin=[origin]) is AccessDecision.FOREIGN


def test_the_own_page_and_a_proxy_that_speaks_tls_are_no_other_site(guarded):
    for host in (HERE[0], "face.example"):
        for scheme in ("http", "https"):
            answer = guarded.decide("/", host=[host], origin=[f"{scheme}://{host}"], cookie=cookie(guarded))
            assert answer is AccessDecision.ALLOW


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", ""])
def test_a_local_server_answers_to_local_names_alone(host):
    """A page elsewhere may point a name of its own at this machine."""
    assert Access(None, local_only=True).decide("/", host=[host]) is AccessDecision.FOREIGN
    assert Access(None, local_only=True).decide("/", host=["localhost:8080"]) is AccessDecision.ALLOW


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1", "evil.example"]])
def test_a_request_names_one_host(hosts):
    assert Access(None, local_only=False).decide("/", host=hosts) is AccessDecision.FOREIGN


def test_tokens_are_long_and_differ():
    assert len(new_token()) >= 40
    assert new_token() != new_token()


def test_comparisons_go_through_the_constant_time_one(guarded, monkeypatch):
    seen = []
    real = __import__("hmac").compare_digest
    monkeypatch.setattr(
        "facecom.apps.viewer.http.access.hmac.compare_digest", lambda a, b: seen.append(1) or real(a, b)
    )
    guarded.decide("/?token=x", host=HERE, cookie=["facecom=y; facecom=z"])
    assert len(seen) == 3
