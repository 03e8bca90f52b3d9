"""Who may do what."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from argon2 import PasswordHasher
from structlog.testing import capture_logs

from config.operation import User, Web
from peers.live_page import Client
from phantoms.web_study import STUDY
from scp.web import texts
from scp.web.passwords import FAILURES_OF_A_NAME, FAILURES_OF_AN_ADDRESS, FAILURES_WINDOW, Brake, Passwords

WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
USERS = [
    {"name": "ruth", "password_hash": WEAK.hash("reading room"), "role": "viewer"},
    {"name": "olaf", "password_hash": WEAK.hash("operator's"), "role": "operator"},
]


@pytest.fixture
def guarded(node, serve):
    """The page with two users; yields its address."""
    node.settings = node.settings.model_copy(update={"web": Web(users=tuple(User(**user) for user in USERS))})
    return serve(node)


@pytest.fixture
def client(guarded):
    with Client(guarded) as client:
        yield client


def test_strangers_are_sent_to_the_login(client) -> None:
    answer = client.get(f"/studies/{STUDY}", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/login?next=/studies/{STUDY}"
    for path in ("/api/studies", f"/api/studies/{STUDY}/result", "/metrics", "/openapi.json", "/worklist/rows"):
        answer = client.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert client.post("/api/upload").status_code == 401
    assert client.post("/dicom-web/studies").status_code == 401
    for path in ("/healthz", "/readyz", "/login", "/static/page.css"):
        assert client.get(path).status_code == 200, path


def test_log_in_and_out(client) -> None:
    answer = client.post("/login", data={"name": "ruth", "password": "reading room", "next": f"/studies/{STUDY}"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/studies/{STUDY}")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "ruth" in client.get(f"/studies/{STUDY}").text
    token = client.cookies["mammonode_session"]
    client.post("/logout")
    assert client.get("/api/studies", headers={"Cookie": f"mammonode_session={token}"}).status_code == 401


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_the_login_leads_nowhere_else(client, where) -> None:
    answer = client.post("/login", data={"name": "ruth", "password": "reading room", "next": where})
    assert answer.headers["Location"] == "/"


def test_a_wrong_password(client) -> None:
    for name in ("ruth", "nobody"):
        answer = client.post("/login", data={"name": name, "password": "guess"})
        assert answer.status_code == 401
        assert texts.LOGIN_REFUSED in answer.text
    assert "Set-Cookie" not in answer.headers


def test_guessing_is_braked(client) -> None:
    for _ in range(FAILURES_OF_A_NAME):
        assert client.post("/login", data={"name": "ruth", "password": "guess"}).status_code == 401
    answer = client.post("/login", data={"name": "ruth", "password": "reading room"})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= FAILURES_WINDOW + 1
    assert client.get("/api/studies", auth=("ruth", "reading room")).status_code == 429
    assert client.post("/login", data={"name": "olaf", "password": "operator's"}).status_code == 303


def test_guesses_that_come_together_are_braked_as_well(client) -> None:
    with ThreadPoolExecutor(20) as pool:
        tries = [pool.submit(client.get, "/api/studies", auth=("ruth", f"guess {number}")) for number in range(20)]
    codes = Counter(one.result().status_code for one in tries)
    assert codes == {401: FAILURES_OF_A_NAME, 429: 20 - FAILURES_OF_A_NAME}


def test_an_address_that_a_client_makes_up_neither_opens_the_brake_nor_gets_into_the_log(client) -> None:
    codes = []
    with capture_logs() as lines:
        for number in range(FAILURES_OF_AN_ADDRESS + 1):
            guess = {"name": f"nobody {number}", "password": "guess"}
            answer = client.post("/login", data=guess, headers={"X-Forwarded-For": f"203.0.113.{number}"})
            codes.append(answer.status_code)
    assert codes == [401] * FAILURES_OF_AN_ADDRESS + [429]
    refused = [line["address"] for line in lines if line["event"] == "login refused"]
    assert refused == ["127.0.0.1"] * FAILURES_OF_AN_ADDRESS


def test_the_brake_lets_go() -> None:
    now = [0.0]
    brake = Brake(lambda: now[0])
    for name in range(FAILURES_OF_AN_ADDRESS):
        assert brake.closed_for(str(name), "10.0.0.1") == 0
        brake.failed(str(name), "10.0.0.1")
    assert brake.closed_for("new", "10.0.0.1") == FAILURES_WINDOW
    assert brake.closed_for("new", "10.0.0.2") == 0
    now[0] = FAILURES_WINDOW + 1
    assert brake.closed_for("new", "10.0.0.1") == 0


def test_a_viewer_reads_and_gives_feedback(client, result) -> None:
    client.log_in("ruth", "reading room")
    assert client.get("/api/studies").status_code == 200
    finding = result.findings[0]
    said = {"verdict": "accepted", "subject": finding.tracking_uid}
    answer = client.post(f"/api/studies/{STUDY}/feedback", json=said)
    assert (answer.status_code, answer.json()["reader"]) == (201, "ruth")
    for path in (f"/api/studies/{STUDY}/retry", f"/api/studies/{STUDY}/cancel", "/api/upload", "/dicom-web/studies"):
        answer = client.post(path)
        assert (answer.status_code, answer.json()["detail"]) == (403, texts.OPERATORS_ONLY), path
    assert client.post(f"/api/studies/{STUDY}/send", json={"destination": "archive"}).status_code == 403
    html = client.get(f"/studies/{STUDY}").text
    assert "/retry" not in html
    assert texts.SEND not in html
    assert texts.OPERATORS_ONLY in client.get("/upload").text


def test_an_operator_may(client) -> None:
    client.log_in("olaf", "operator's")
    assert client.post(f"/api/studies/{STUDY}/cancel").json()["ok"]
    assert client.post(f"/api/studies/{STUDY}/retry").json()["ok"]


def test_a_program_needs_no_token(client) -> None:
    answer = client.post(f"/api/studies/{STUDY}/retry", auth=("olaf", "operator's"))
    assert answer.status_code == 200
    assert client.get("/metrics", auth=("ruth", "reading room")).status_code == 200
    assert client.get("/metrics", auth=("ruth", "wrong")).status_code == 401


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Bearer x"])
def test_a_broken_authorization_header(client, header) -> None:
    assert client.get("/api/studies", headers={"Authorization": header}).status_code == 401


def test_requests_without_token_or_from_elsewhere(client) -> None:
    client.log_in("olaf", "operator's")
    token = client.headers["X-CSRF-Token"]
    path = f"/api/studies/{STUDY}/retry"
    foreign = [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "guess"},
        {"X-CSRF-Token": token, "Origin": "https://evil.example"},
        {"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"},
        {"X-CSRF-Token": token, "Sec-Fetch-Site": "same-site"},
    ]
    for headers in foreign:
        assert client.post(path, headers=headers).status_code == 403, headers
    same = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert client.post(path, headers=same).status_code == 200


def test_loopback_is_guarded_against_other_sites(page) -> None:
    assert page.get("/api/studies", headers={"Host": "evil.example"}).status_code == 421
    assert page.get("/", headers={"Host": "localhost:8042"}).status_code == 200
    answer = page.post("/dicom-web/studies", headers={"Origin": "https://evil.example"})
    assert answer.json()["detail"] == texts.CROSS_SITE
    with httpx.Client(base_url=page.base_url) as stranger:
        assert stranger.post(f"/api/studies/{STUDY}/retry").status_code == 403


def test_headers(page) -> None:
    for path in ("/", f"/studies/{STUDY}", "/api/studies", "/nothing"):
        headers = page.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"
    assert "Cache-Control" not in page.get("/static/page.css").headers


def test_a_right_password_is_remembered_for_a_while_only() -> None:
    now = [0.0]
    passwords = Passwords((User(**USERS[0]),), lambda: now[0])
    assert passwords.remembered("ruth", "reading room") is None
    assert passwords.user("ruth", "reading room")
    assert passwords.remembered("ruth", "reading room")
    assert passwords.remembered("ruth", "reading  room") is None
    assert passwords.user("ruth", "reading  room") is None
    now[0] = 1e6
    assert passwords.remembered("ruth", "reading room") is None
    assert passwords.user("ruth", "reading room")
    assert passwords.user("nobody", "reading room") is None
