"""The conformance statement says what the code does."""

from pathlib import Path
from typing import get_args

from config.destinations import Destination, ObjectKind
from scp.conformance_statement import RESULTS, conformance_statement

STATEMENT = Path(__file__).parents[2] / "deploy" / "conformance-statement.md"


def test_the_statement_is_up_to_date() -> None:
    """If not: python -m scp.conformance_statement > deploy/conformance-statement.md"""
    assert STATEMENT.read_text() == conformance_statement()


def test_it_lists_every_kind_of_result_and_the_default_ones() -> None:
    assert {kind for kind, *_ in RESULTS} == set(get_args(ObjectKind))
    assert tuple(kind for kind, *_, default in RESULTS if default) == Destination.model_fields["objects"].default
