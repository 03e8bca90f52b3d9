"""The TOML file as a source of settings."""

from pathlib import Path
from typing import Any

from pydantic_settings import TomlConfigSettingsSource

from config.operation import Node


class SettingsFile(TomlConfigSettingsSource):
    """A relative folder of the node lies beside the file, from wherever a command is given."""

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        file = self.settings_cls.model_config.get("toml_file")
        node = values.get("node", {})
        if not isinstance(file, Path) or not isinstance(node, dict):
            return values
        folder = node.get("folder", Node().folder)
        if not isinstance(folder, (str, Path)):
            return values
        return values | {"node": node | {"folder": file.parent / folder}}
