"""`mammonode status` for people: studies worst first, then destinations."""

from typing import Any

from rich.console import Console
from rich.table import Table

_COLOUR = {"failed": "red", "cancelled": "red", "excluded": "yellow", "delivered": "green"}


def show(answer: dict[str, Any], out: Console) -> None:
    """Print what operations.status answers."""
    studies = Table(title=f"{len(answer['studies'])} studies", title_justify="left")
    for heading in ("study", "state", "images", "grade", "received", "what to do"):
        studies.add_column(heading, overflow="fold")
    for row in answer["studies"]:
        colour = _COLOUR.get(row["state"], "")
        state = f"[{colour}]{row['state']}[/]" if colour else row["state"]
        reason = row["reason"] or {}
        what = " ".join(part for part in (reason.get("text"), reason.get("remedy")) if part)
        grade = "" if row["grade"] is None else str(row["grade"])
        received = _moment(row["received"])
        studies.add_row(row["study_instance_uid"], state, str(row["instances"]), grade, received, what)
    out.print(studies)
    destinations = Table(title="destinations", title_justify="left")
    for heading in ("name", "waiting", "failed", "delivered", "last error", "next try"):
        destinations.add_column(heading, overflow="fold")
    for row in answer["destinations"]:
        cells = (
            row["name"],
            row["waiting"],
            row["failed"],
            row["delivered"],
            row["last_error"] or "",
            _moment(row["next_attempt"]),
        )
        destinations.add_row(*(str(cell) for cell in cells))
    out.print(destinations)


def _moment(time: str | None) -> str:
    """To the second, UTC."""
    return str(time or "")[:19].replace("T", " ")
