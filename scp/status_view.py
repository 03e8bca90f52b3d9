"""`mammonode status` for people: studies worst first, then destinations; of one study its whole history."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scp.gaps import summary_of
from scp.journal_rows import HAS_RESULT
from scp.revision_folder import RevisionFolder
from scp.words import counted

_COLOUR = {"failed": "red", "cancelled": "red", "excluded": "yellow", "delivered": "green"}
_INCOMPLETE = "bold yellow"

Row = dict[str, Any]


def show(answer: Row, out: Console) -> None:
    """Print what node_status.status answers."""
    known = sum(answer["counts"].values())
    shown = len(answer["studies"])
    out.print(f"{shown} of {counted(known, 'study', 'studies')}", style="bold", highlight=False)
    for row in answer["studies"]:
        _show_study(row, out)
        if "events" in row:
            _show_history(row, out)
    _show_destinations(answer["destinations"], out)


def _show_study(row: Row, out: Console) -> None:
    """How it stands; the UID is never folded, as it is there to be copied."""
    lacks = _lacks(row)
    state = _state(row["state"], bool(lacks))
    out.print(Text.assemble(state, " ", row["study_instance_uid"]), soft_wrap=True)
    if lacks:
        out.print(Padding(Text(lacks, style=_INCOMPLETE), (0, 0, 0, 11)))
    grade = "" if row["grade"] is None else f", grade {row['grade']}"
    lines = [f"{counted(row['instances'], 'instance')}{grade}, received {_moment(row['received'])}"]
    if row["state"] == "waiting" and row["due"]:
        lines.append(f"more images may come: analysed at {_moment(row['due'])} if none does")
    lines.append(_told(row["reason"]))
    for line in filter(None, lines):
        out.print(Padding(Text(line, style="dim"), (0, 0, 0, 11)))


def _state(state: str, incomplete: bool) -> Text:
    """In the worklist's words; what lacks something never has the colour of what is well done."""
    if incomplete and state != "failed":
        return Text(f"{state}, incomplete", style=_INCOMPLETE)
    return Text(f"{state:10}", style=_COLOUR.get(state, ""))


def _lacks(row: Row) -> str:
    """'1 failed: L CC; 1 not received: R MLO', as the worklist says it; empty where nothing lacks."""
    if row["state"] not in HAS_RESULT or not row["result_folder"]:
        return ""
    told = summary_of(RevisionFolder(Path(row["result_folder"])))
    if told is None and row["failed"]:  # the journal still knows how many, though not which
        return f"{row['failed']} failed"
    return told or ""


def _show_history(row: Row, out: Console) -> None:
    images = Table("instance", "status", "reason", title="instances", title_justify="left")
    for item in row["images"]:
        images.add_row(item["sop_instance_uid"], item["status"], _told(item["reason"]))
    deliveries = Table("destination", "state", "objects", "attempts", "next try", "reason", title="deliveries")
    deliveries.title_justify = "left"
    for item in row["deliveries"]:
        objects = f"{item['stored']} of {item['objects']}"
        when = _moment(item["next_attempt"])
        told = _told(item["reason"])
        deliveries.add_row(item["destination"], item["state"], objects, str(item["attempts"]), when, told)
    for table in (images, deliveries):
        if table.row_count:
            for column in table.columns:
                column.overflow = "fold"
            out.print(table)
    out.print("history (UTC)", style="italic")
    for item in row["events"]:
        out.print(f"  {_moment(item['at'])}  {item['event']}  {item['text']}".rstrip(), markup=False, highlight=False)
    if row["result_folder"]:
        # never folded: it is there to be copied
        out.print(f"results: {row['result_folder']}", markup=False, highlight=False, soft_wrap=True)


def _show_destinations(rows: list[Row], out: Console) -> None:
    table = Table(title="destinations", title_justify="left")
    for heading in ("name", "waiting", "failed", "delivered", "last error", "next try"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        numbers = (str(row[key]) for key in ("waiting", "failed", "delivered"))
        table.add_row(row["name"], *numbers, row["last_error"] or "", _moment(row["next_attempt"]))
    out.print(table)


def _told(reason: Row | None) -> str:
    return " ".join(part for part in ((reason or {}).get("text"), (reason or {}).get("remedy")) if part)


def _moment(time: str | None) -> str:
    """To the second, UTC."""
    return str(time or "")[:19].replace("T", " ")
