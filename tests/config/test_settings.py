"""The settings file: every bad key at once, the environment wins, the shipped file is valid."""

import errno
from pathlib import Path

import pytest

from config.settings import SettingsError, load
from scp.init import write_settings

HASH = "$argon2id$v=19$m=8,t=1,p=1$D8BolYohMwxDf0V/LY65fA$v3IHmooAIwvYozZrL3AwnJI4OsSpqElIzcs64vQRTFE"
"""Of "x", as `mammonode hash-password` prints it, but cheap."""


def test_shipped_file_has_the_documented_defaults(tmp_path: Path) -> None:
    write_settings(tmp_path / "mammonode.toml")
    settings = load(tmp_path / "mammonode.toml")
    assert (settings.listener.ae_title, settings.listener.port) == ("MAMMONODE", 11112)
    assert [destination.name for destination in settings.destinations] == ["pacs"]
    assert (settings.studies.complete_quiet, settings.studies.incomplete_quiet) == (30.0, 600.0)
    assert (tmp_path / "mammonode.toml").stat().st_mode & 0o777 == 0o600


def test_an_operators_file_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "mammonode.toml"
    file.write_text("# mine\n")
    with pytest.raises(FileExistsError):
        write_settings(file)
    assert file.read_text() == "# mine\n"


def test_one_error_lists_every_bad_key(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('[listener]\nport = 99999\ncolour = 1\n[[destinations]]\nname = "A b"\nhost = "x"\n')
    with pytest.raises(SettingsError) as caught:
        load(file)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"3 setting(s) in {file} or the environment must be mended:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "listener.port",
        "listener.colour",
        "destinations.0.name",
    ]


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="mammonode init --config"):
        load(tmp_path / "none.toml")


def test_no_toml_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[listener\n")
    with pytest.raises(SettingsError, match="is not a TOML file"):
        load(tmp_path / "bad.toml")


def test_a_file_that_may_not_be_read_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for an account that may not look into /etc/mammonode; root may, so that the refusal is made here."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "a.toml").touch()
    for name in ("stat", "open"):
        monkeypatch.setattr(Path, name, refuse)
    with pytest.raises(SettingsError, match=r"a\.toml cannot be read: Permission denied"):
        load(tmp_path / "a.toml")


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[listener]\nport = 5000\nae_title = "FILE"\n')
    monkeypatch.setenv("MAMMONODE_LISTENER__PORT", "6000")
    settings = load(file)
    assert (settings.listener.port, settings.listener.ae_title) == (6000, "FILE")


def test_the_page_beyond_loopback_needs_users(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[web]\nbind = "0.0.0.0"\n')
    with pytest.raises(SettingsError, match=r"add \[\[web.users\]\]"):
        load(tmp_path / "a.toml")


def test_tls_without_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[listener.tls]\nenabled = true\n")
    with pytest.raises(SettingsError, match="set certificate and private_key"):
        load(tmp_path / "a.toml")


@pytest.mark.parametrize(("where", "count"), [('host = "a"\nurl = "http://a"', 1), ("port = 104", 1)])
def test_a_destination_has_exactly_one_address(tmp_path: Path, where: str, count: int) -> None:
    (tmp_path / "a.toml").write_text(f'[[destinations]]\nname = "a"\n{where}\n')
    with pytest.raises(SettingsError, match="set either host") as caught:
        load(tmp_path / "a.toml")
    assert str(caught.value).startswith(f"{count} setting(s)")


def test_two_destinations_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[[destinations]]\nname = "a"\nhost = "h"\n' * 2)
    with pytest.raises(SettingsError, match="two destinations have the same name"):
        load(tmp_path / "a.toml")


def test_environment_list_of_destinations_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAMMONODE_DESTINATIONS", '[{"name": "a", "host": "h", "ae_title": "X"}]')
    assert load(None).destinations[0].ae_title == "X"


def test_every_commented_key_of_the_shipped_file_is_a_real_one(tmp_path: Path) -> None:
    write_settings(tmp_path / "a.toml")
    text = (tmp_path / "a.toml").read_text()
    alone = [line for line in text.splitlines() if line.startswith("# ") and " = " in line.split("#")[1]]
    tables = ("[[listener.peers]]", "[listener.tls]", "[[web.users]]")
    uncommented = "\n".join(
        line[2:] if line in alone or line[2:] in tables else line for line in text.splitlines()
    ).replace('password_hash = "..."', f'password_hash = "{HASH}"')
    (tmp_path / "b.toml").write_text(uncommented)
    assert load(tmp_path / "b.toml").studies.prior_days == 30
