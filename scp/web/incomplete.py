"""What a study's result lacks, in a few words for the worklist."""

from functools import lru_cache
from pathlib import Path

from scp.gaps import summary_of
from scp.journal_rows import HAS_RESULT, StudyRow
from scp.result_folders import ResultFolders
from scp.web.state import WebState


def incomplete(state: WebState, row: StudyRow) -> str:
    """'1 failed: L CC; 1 not received: R MLO'; empty where nothing lacks, or where there is no result."""
    if row.state not in HAS_RESULT:
        return ""
    return _summary(state.settings.node.folder / "results", row)


@lru_cache(maxsize=1024)
def _summary(folder: Path, row: StudyRow) -> str:
    """Read once until the journal's row changes: the worklist asks for the same studies every few seconds."""
    if row.digest is None:
        return ""
    # the report tells that a result is damaged; the list of all studies must not end with it
    return summary_of(ResultFolders(folder).revision(row.study_instance_uid, row.digest)) or ""
