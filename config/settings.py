"""All settings of the node, frozen, from one TOML file and the environment (`MAMMONODE_SECTION__KEY`)."""

from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from config.analysis import Analysis, Eligibility, Objects, Studies
from config.destinations import Delivery, Destination
from config.listener import Listener
from config.operation import Alerts, Engine, Node, Retention, Web


class SettingsError(Exception):
    """Lists every bad key at once, with what is wrong with it."""


class Settings(BaseSettings):
    """The whole file. Environment variables win over the file."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="MAMMONODE_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(path: Path | None) -> Settings:
    """Read the settings; without a file, defaults and the environment.

    Raises SettingsError: the file is missing, is no TOML, or has bad keys (all of them are listed).
    """
    if path is not None and not path.is_file():
        raise SettingsError(f"There is no settings file {path}. Make one with: mammonode init --config {path}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return FromFile()
    except ValidationError as error:
        raise SettingsError(_every_bad_key(path, error)) from error
    except ValueError as error:
        raise SettingsError(f"{path} is not a TOML file: {error}") from error


def _every_bad_key(path: Path | None, error: ValidationError) -> str:
    where = f"{path} or the environment" if path else "the environment"
    lines = [f"{len(error.errors())} setting(s) in {where} must be mended:"]
    for item in error.errors(include_url=False, include_input=False):
        key = ".".join(str(part) for part in item["loc"]) or "(whole file)"
        unknown = item["type"] == "extra_forbidden"
        lines.append(f"  {key}: {_no_such_key(item['loc']) if unknown else item['msg']}")
    return "\n".join(lines)


def _no_such_key(place: tuple[int | str, ...]) -> str:
    """With the nearest key of the same section: that of another would lead astray."""
    section = Settings.model_fields[str(place[0])].annotation if len(place) == 2 else Settings
    known = section.model_fields if isinstance(section, type) and issubclass(section, BaseModel) else {}
    nearest = get_close_matches(str(place[-1]), known, 1) if len(place) <= 2 else []
    return "there is no such key" + (f"; did you mean {nearest[0]}?" if nearest else "")
