"""CSV tables as spreadsheets write them."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from training.errors import AnnotationsError

Row = dict[str, str | None]
"""None stands where the row ended before the column."""


def read_table(path: Path, delimiter: str = ",") -> tuple[list[str], Iterator[tuple[int, Row]]]:
    """Columns, and rows with the number of their last line. Raises AnnotationsError: it is no CSV in UTF-8."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationsError(_not_utf8(path)) from error
    if "\0" in text:  # UTF-16 without a mark
        raise AnnotationsError(_not_utf8(path))
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(table.line_num, {key: _cell(row[key]) for key in row if key is not None}) for row in table]
    except csv.Error as error:
        raise AnnotationsError(f"{path.name} line {table.line_num} is no CSV: {error}.") from error
    return list(table.fieldnames or ()), iter(rows)


def _cell(value: str | None) -> str | None:
    return value.strip() if value is not None else None


def _not_utf8(path: Path) -> str:
    return f"{path} is not in UTF-8: save it as 'CSV UTF-8' (in a spreadsheet: Save as, CSV UTF-8)."
