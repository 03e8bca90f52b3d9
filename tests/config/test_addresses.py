"""Addresses and passwords in the settings: what cannot work, or would show a login, is refused at load."""

from pathlib import Path

import pytest
from argon2 import PasswordHasher

from config.listener import Peer
from config.operation import User
from config.settings import Settings, SettingsError, load
from scp.databases import journal_url

CHEAP = PasswordHasher(1, 8, 1)


def refused(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "a.toml")
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "http://svc:secret@host/dicom-web",
            "must hold no user name and password: set username and password of the ",
        ),
        ("http://svc@host/dicom-web", "must hold no user name and password: set username and password of the "),
        ("host/dicom-web", "must begin with http:// or https:// and a host's name"),
        ("ftp://host/dicom-web", "must begin with http:// or https:// and a host's name"),
        ("http:///dicom-web", "must begin with http:// or https:// and a host's name"),
        ("", "must begin with http:// or https:// and a host's name"),
        ("http://host:port/dicom-web", "is no address: write it as https://host:port/path"),
        ("http://host/dicom-web?token=secret", "must end with the path of the DICOMweb service, without ? and #"),
    ],
)
def test_a_destination_that_cannot_be_called_or_shows_a_login_is_refused(tmp_path: Path, url: str, told: str) -> None:
    (line,) = refused(tmp_path, f'[[destinations]]\nname = "a"\nurl = "{url}"\n')
    assert line.startswith(f"destinations.0.url: Value error, {told}")
    assert "secret" not in line


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8042/dicom-web", "https://pacs.example/dicom-web", "http://[::1]/a"]
)
def test_an_address_of_a_dicomweb_service_is_taken(url: str) -> None:
    assert Settings(destinations=[{"name": "a", "url": url}]).destinations[0].url == url


def test_a_webhook_holds_no_login(tmp_path: Path) -> None:
    told = (
        "alerts.webhook: Value error, must hold no user name and password: a webhook has no login; name an address "
    )
    assert refused(tmp_path, '[alerts]\nwebhook = "https://svc:secret@hooks.example/"\n') == [
        f"{told}whose path holds a token"
    ]
    assert Settings(alerts={"webhook": "https://hooks.example/T0KEN"}).alerts.webhook == "https://hooks.example/T0KEN"


@pytest.mark.parametrize("url", ["postgresql://u:p@db/x", "postgresql+psycopg://u@db/x", "postgresql:///x?host=/run"])
def test_postgresql_is_taken(url: str) -> None:
    assert Settings(engine={"database_url": url}).engine.database_url == url


def test_an_empty_address_of_a_database_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a compose file that is given none says it: SQLite in the node's folder."""
    monkeypatch.setenv("MAMMONODE_ENGINE__DATABASE_URL", "")
    assert journal_url(load(None)) == "sqlite:///mammonode-data/journal.db"


@pytest.mark.parametrize("url", ["mysql://u:secret@db/x", "postgres://u:secret@db/x", "sqlite:///x.db", "db"])
def test_another_kind_of_database_is_refused(tmp_path: Path, url: str) -> None:
    (line,) = refused(tmp_path, f'[engine]\ndatabase_url = "{url}"\n')
    assert line == (
        "engine.database_url: Value error, only PostgreSQL is supported: "
        "postgresql+psycopg://user:password@host/database"
    )


def test_an_at_sign_in_the_databases_password_would_be_shown_as_a_host(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, '[engine]\ndatabase_url = "postgresql://u:se@cret@db/x"\n')
    assert line == "engine.database_url: Value error, write an @ in the user name or the password as %40"


def test_no_secret_stands_in_what_is_printed_of_the_settings() -> None:
    settings = Settings(
        engine={"database_url": "postgresql://u:secret@db/x"},
        destinations=[{"name": "a", "url": "http://a/", "username": "u", "password": "secret"}],
        alerts={"webhook": "https://hooks.example/secret"},
    )
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "text", ["plaintext", "", "$argon2id$", "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"]
)
def test_a_password_that_is_no_hash_is_refused_with_the_command_that_makes_one(tmp_path: Path, text: str) -> None:
    users = f'[[web.users]]\nname = "ruth"\npassword_hash = "{text}"\n'
    peers = f'[[listener.peers]]\nae_title = "A"\nusername = "a"\npassword_hash = "{text}"\n'
    told = "Value error, is no hash of a password: make one with mammonode hash-password"
    assert refused(tmp_path, users + peers) == [
        f"listener.peers.0.password_hash: {told}",
        f"web.users.0.password_hash: {told}",
    ]


def test_every_hash_that_argon2_makes_is_taken() -> None:
    for hasher in (CHEAP, PasswordHasher()):
        made = hasher.hash("secret")
        assert User(name="ruth", password_hash=made).password_hash == made
        assert Peer(ae_title="A", username="a", password_hash=made).password_hash == made


def test_two_users_of_one_name_are_refused(tmp_path: Path) -> None:
    user = f'[[web.users]]\nname = "ruth"\npassword_hash = "{CHEAP.hash("x")}"\n'
    assert refused(tmp_path, user * 2) == ["web: Value error, two users have the same name"]
