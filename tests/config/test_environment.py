"""The environment's variables: each names a setting, and holds what the setting can take."""

import json
from collections.abc import Iterator
from typing import Any, get_origin

import pytest
from pydantic import BaseModel

from config.environment import model_of, variable
from config.settings import Settings, SettingsError, load


def every_key(section: BaseModel, start: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key of every section with its default, those of tables in tables too."""
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if get_origin(field.annotation) is not tuple and model_of(field.annotation) is not None:
            yield from every_key(value, (*start, key))
        else:
            yield (*start, key), value


KEYS = [item for item in every_key(Settings()) if item[1] is not None]
DEFAULTS = Settings().model_dump()
UNSET = [place for place, value in every_key(Settings()) if value is None]


def written(value: Any) -> str:
    """As a person writes it into a unit or a compose file."""
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def refused() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(None)
    return str(caught.value).splitlines()


def test_every_section_is_gone_over() -> None:
    assert {place[0] for place, _ in KEYS} | {place[0] for place in UNSET} == set(Settings.model_fields)
    assert ("analysis", "mark_grade") in dict(KEYS)
    assert ("listener", "tls", "enabled") in dict(KEYS)
    assert ("listener", "peers") in dict(KEYS)


@pytest.mark.parametrize(("place", "value"), KEYS, ids=[".".join(place) for place, _ in KEYS])
def test_the_environment_sets_every_key_to_its_default(
    monkeypatch: pytest.MonkeyPatch, place: tuple[str, ...], value: Any
) -> None:
    monkeypatch.setenv(variable(place), written(value))
    assert load(None).model_dump() == DEFAULTS
    assert dict(every_key(load(None)))[place] == value


@pytest.mark.parametrize("place", UNSET, ids=[".".join(place) for place in UNSET])
def test_the_environment_unsets_what_has_no_default(monkeypatch: pytest.MonkeyPatch, place: tuple[str, ...]) -> None:
    *section, key = place
    monkeypatch.setenv(variable(tuple(section)), json.dumps({key: None}))
    assert dict(every_key(load(None)))[place] is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("MAMMONODE_DELIVERY_MODE", "; did you mean MAMMONODE_DELIVERY__MODE?"),
        ("MAMMONODE_DELIVER__MODE", "; did you mean MAMMONODE_DELIVERY__MODE?"),
        ("MAMMONODE_DELIVERY__MOD", "; did you mean MAMMONODE_DELIVERY__MODE?"),
        ("MAMMONODE_LISTNER__PORT", "; did you mean MAMMONODE_LISTENER__PORT?"),
        ("MAMMONODE_LISTENER_PORT", "; did you mean MAMMONODE_LISTENER__PORT?"),
        ("mammonode_listener_port", "; did you mean MAMMONODE_LISTENER__PORT?"),
        ("MAMMONODE_LISTENER__TLS__ENABELD", "; did you mean MAMMONODE_LISTENER__TLS__ENABLED?"),
        # the engine's lease_seconds is nearer, but of another section
        ("MAMMONODE_STUDIES__QUIET_SECONDS", ""),
        ("MAMMONODE_FOO__BAR", ""),
    ],
)
def test_a_variable_that_names_no_setting_is_refused_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.setenv(name, "shadow")
    assert refused() == [
        "1 setting(s) in the environment must be mended:",
        f"  {name}: there is no such setting{told}",
    ]


@pytest.mark.parametrize("name", ["MAMMONODE_HOME", "MAMMONODE_FOO", "MAMMONODE_"])
def test_a_variable_of_somebody_elses_that_is_like_no_setting_is_let_be(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/opt/mammonode")
    assert load(None).delivery.mode == "send"


def test_every_bad_variable_is_listed_with_every_bad_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAMMONODE_DELIVERY_MODE", "shadow")
    monkeypatch.setenv("MAMMONODE_LISTENER__PROT", "1")
    monkeypatch.setenv("MAMMONODE_LISTENER__PORT", "0")
    assert [line.split(":")[0].strip() for line in refused()] == [
        "3 setting(s) in the environment must be mended",
        "MAMMONODE_DELIVERY_MODE",
        "MAMMONODE_LISTENER__PROT",
        "listener.port",
    ]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ANALYSIS__MODULES", "nodule", 'the value of a list must be JSON, such as ["nodule"]'),
        ("ANALYSIS__MODULES", "", 'the value of a list must be JSON, such as ["nodule"]'),
        ("LISTENER__DROPPED_CLASSES", '"SR"', 'the value of a list must be JSON, such as ["SR"]'),
        ("LISTENER__PEERS", "foo", 'the value of a list must be JSON, such as [{"ae_title": "..."}]'),
        (
            "DESTINATIONS__0__PORT",
            "104",
            """a list is set as one JSON value: MAMMONODE_DESTINATIONS='[{"name": "..."}]'""",
        ),
        ("LISTENER", "x", "a whole section must be a JSON object; or set its keys, MAMMONODE_LISTENER__…"),
        ("LISTENER__PORT__X", "1", "MAMMONODE_LISTENER__PORT holds a single value, and has no keys"),
    ],
)
def test_what_is_no_json_is_told_with_its_variable_and_an_example(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"MAMMONODE_{name}", value)
    assert refused() == ["1 setting(s) in the environment must be mended:", f"  MAMMONODE_{name}: {told}"]


def test_a_grade_that_marks_nothing_is_refused_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAMMONODE_ANALYSIS__MARK_GRADE", "5")
    assert load(None).analysis.mark_grade == 5
    monkeypatch.setenv("MAMMONODE_ANALYSIS__MARK_GRADE", "2")
    assert refused()[1] == "  analysis.mark_grade: Input should be 3, 4, 5 or 6"


def test_what_kubernetes_says_of_the_services_around_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Service of deploy/kubernetes gives every container of its namespace these."""
    told = {
        "DICOM_SERVICE_HOST": "10.0.0.1",
        "DICOM_SERVICE_PORT": "104",
        "DICOM_SERVICE_PORT_DICOM": "104",
        "DICOM_PORT": "tcp://10.0.0.1:104",
        "DICOM_PORT_104_TCP": "tcp://10.0.0.1:104",
        "DICOM_PORT_104_TCP_PROTO": "tcp",
        "DICOM_PORT_104_TCP_PORT": "104",
        "DICOM_PORT_104_TCP_ADDR": "10.0.0.1",
        "SERVICE_HOST": "10.0.0.2",
        "PORT": "tcp://10.0.0.2:104",
    }
    for name, value in told.items():
        monkeypatch.setenv(f"MAMMONODE_{name}", value)
    assert load(None).listener.port == 11112


def test_no_secret_is_repeated_when_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAMMONODE_ENGINE__DATABASE_URL", "mysql://svc:secret@db/mammonode")
    with pytest.raises(SettingsError) as caught:
        load(None)
    assert str(caught.value).splitlines()[1:] == [
        "  engine.database_url: Value error, only PostgreSQL is supported: "
        "postgresql+psycopg://user:password@host/database"
    ]
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
