"""All settings of the node, frozen, from one TOML file and the environment (`MAMMONODE_SECTION__KEY`)."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableValueError

from config import environment
from config.analysis import Analysis, Eligibility, Objects, Studies
from config.destinations import Delivery, Destination
from config.listener import Listener
from config.operation import Alerts, Engine, Node, Retention, Web
from config.settings_file import SettingsFile


class SettingsError(Exception):
    """Lists every bad key at once, with what is wrong with it."""


class Settings(BaseSettings):
    """The whole file. Environment variables win over the file."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=environment.PREFIX,
        env_nested_delimiter=environment.DELIMITER,
        nested_model_default_partial_update=True,
        hide_input_in_errors=True,  # it may be a password
    )

    node: Node = Node()
    listener: Listener = Listener()
    studies: Studies = Studies()
    eligibility: Eligibility = Eligibility()
    analysis: Analysis = Analysis()
    objects: Objects = Objects()
    destinations: tuple[Destination, ...] = ()
    delivery: Delivery = Delivery()
    engine: Engine = Engine()
    web: Web = Web()
    retention: Retention = Retention()
    alerts: Alerts = Alerts()

    @model_validator(mode="after")
    def names_differ(self) -> "Settings":
        names = [destination.name for destination in self.destinations]
        if len(set(names)) < len(names):
            raise ValueError("two destinations have the same name")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SettingsFile(settings_cls)


def load(path: Path | None) -> Settings:
    """Read the settings; without a file, defaults and the environment.

    Raises SettingsError: the file is missing or no TOML, or keys or variables are bad (all of them are listed).
    """
    if path is not None and not _is_there(path):
        raise SettingsError(f"There is no settings file {path}. Make one with: mammonode init --config {path}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    faults = environment.faults(Settings, os.environ)
    bad = [f"  {fault.variable}: {fault.text}" for fault in faults]
    settings = None
    try:
        settings = FromFile()
    except ValidationError as error:
        bad += _bad_keys(error, [fault.place for fault in faults])
    except UnreadableValueError as error:
        # a list or a section in the environment that is no JSON: among the faults
        bad = bad or [f"  {error}"]
    except (ValueError, OSError) as error:
        raise SettingsError(f"{path} {_why_unreadable(error)}") from None
    if settings is None or bad:
        where = f"{path} or the environment" if path else "the environment"
        # without its cause, which would repeat every value, secrets among them
        raise SettingsError("\n".join([f"{len(bad)} setting(s) in {where} must be mended:", *bad])) from None
    return settings


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return True  # for all that this account may know; reading it will say more


def _why_unreadable(error: Exception) -> str:
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else f"is not a TOML file: {error}"


def _bad_keys(error: ValidationError, told: list[tuple[str, ...]]) -> Iterator[str]:
    """A line for each, without what is told already of the environment's variables."""
    for item in error.errors(include_url=False, include_input=False):
        if any(place and item["loc"][: len(place)] == place for place in told):
            continue
        key = ".".join(str(part) for part in item["loc"]) or "(whole file)"
        unknown = item["type"] == "extra_forbidden"
        yield f"  {key}: {_no_such_key(item['loc']) if unknown else item['msg']}"


def _no_such_key(place: tuple[int | str, ...]) -> str:
    """With the nearest key of the same section: that of another would lead astray."""
    section: type[BaseModel] | None = Settings
    for part in place[:-1]:
        if section is not None and isinstance(part, str):
            section = environment.model_of(section.model_fields[part].annotation)
    nearest = get_close_matches(str(place[-1]), section.model_fields, 1) if section else []
    return "there is no such key" + (f"; did you mean {nearest[0]}?" if nearest else "")
