"""The environment's part of the settings: what stands in a MAMMONODE_ variable that nothing can take."""

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel

PREFIX = "MAMMONODE_"
DELIMITER = "__"

ALIKE = 0.8
"""How near a whole name must be to be offered: all share words, such as the name of a section."""

ADDRESS = re.compile(r"(tcp|udp|sctp)://.*")
SERVICE = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
"""Kubernetes tells every container of the services around it: one that is called mammonode gives such names."""


class Fault(NamedTuple):
    """A variable that means nothing; `place` is the key that it was meant for, empty where there is none."""

    variable: str
    place: tuple[str, ...]
    text: str


def faults(settings: type[BaseModel], environment: Mapping[str, str]) -> list[Fault]:
    """Every variable with our prefix that is like a key and is none, or holds a list or section that is no JSON."""
    ours = {name: value for name, value in sorted(environment.items()) if name.upper().startswith(PREFIX)}
    found = (_fault(settings, name, value) for name, value in ours.items() if not _of_kubernetes(name, value))
    return [fault for fault in found if fault is not None]


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a key holds, or of which it holds a list."""
    kind = next(iter(get_args(annotation)), None) if get_origin(annotation) is tuple else annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _of_kubernetes(name: str, value: str) -> bool:
    rest = name[len(PREFIX) :]
    if DELIMITER in rest:
        return False
    return SERVICE.fullmatch(rest) is not None or (rest.endswith("PORT") and ADDRESS.fullmatch(value) is not None)


def _fault(settings: type[BaseModel], name: str, value: str) -> Fault | None:
    keys = tuple(name[len(PREFIX) :].lower().split(DELIMITER))
    section = settings
    for depth, key in enumerate(keys, start=1):
        field = section.model_fields.get(key)
        if field is None:
            meant = _meant(settings, section, keys, depth)
            if not meant and len(keys) == 1:
                return None  # MAMMONODE_HOME of a site's own scripts: no setting, and like none
            return Fault(name, keys[:depth], f"there is no such setting{meant}")
        place, whole = keys[:depth], depth == len(keys)
        if get_origin(field.annotation) is tuple:
            return _bad_list(name, place, value if whole else None, _example(field.annotation, field.default))
        inner = model_of(field.annotation)
        if whole:
            return _bad_section(name, place, value) if inner else None
        if inner is None:
            text = f"{variable(place)} holds a single value, and has no keys"
            return Fault(name, place, text)
        section = inner
    return None


def variable(place: tuple[str, ...]) -> str:
    """The name by which the environment sets a key."""
    return PREFIX + DELIMITER.join(place).upper()


def _bad_list(name: str, place: tuple[str, ...], value: str | None, example: str) -> Fault | None:
    """`value` None: an element of the list was named, or a key of one."""
    if value is None:
        return Fault(name, place, f"a list is set as one JSON value: {variable(place)}='{example}'")
    if isinstance(_json(value), list):
        return None
    return Fault(name, place, f"the value of a list must be JSON, such as {example}")


def _bad_section(name: str, place: tuple[str, ...], value: str) -> Fault | None:
    if isinstance(_json(value), dict):
        return None
    return Fault(name, place, f"a whole section must be a JSON object; or set its keys, {name}{DELIMITER}…")


def _json(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _example(annotation: Any, default: Any) -> str:
    """A list of one element: the default's first, else what such an element must have."""
    element = model_of(annotation)
    if element is None:
        return json.dumps(list(default[:1]) or ["MODALITY1"])
    return json.dumps([{key: "..." for key, field in element.model_fields.items() if field.is_required()}])


def _meant(settings: type[BaseModel], section: type[BaseModel], keys: tuple[str, ...], depth: int) -> str:
    """The nearest key of the same section; where there is no such section, the nearest of all names."""
    if depth > 1:
        nearest = get_close_matches(keys[depth - 1], section.model_fields, 1)
        known = [variable((*keys[: depth - 1], key)) for key in nearest]
    else:
        names = {re.sub("_+", "_", variable(place)[len(PREFIX) :]): variable(place) for place in _places(settings)}
        wanted = re.sub("_+", "_", "_".join(keys).upper())
        known = [names[name] for name in get_close_matches(wanted, names, 1, ALIKE)]
    return f"; did you mean {known[0]}?" if known else ""


def _places(section: type[BaseModel], start: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, field in section.model_fields.items():
        inner = None if get_origin(field.annotation) is tuple else model_of(field.annotation)
        if inner is None:
            yield (*start, key)
        else:
            yield from _places(inner, (*start, key))
