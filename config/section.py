"""The base of every table in the settings file."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the settings file: frozen, unknown keys refused, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
