"""One good destination among many on a bad day: it gets everything, and each of the others is seen as it is."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from peers import bad_pacs
from peers.orthanc import storescu
from peers.running_node import RunningNode
from peers.waiting import wait_for
from phantoms.mammogram import write_study
from scp import node_status, operations

Make = Callable[..., Any]

SILENT = ("black-hole", "silent", "no-answer", "no-reader")
"""Each attempt at one of these lasts longer than the test."""

STUDIES = 5
"""More than a destination has attempts at once."""


@pytest.mark.faults
def test_no_bad_destination_delays_a_good_one(node: Make, tmp_path: Path) -> None:
    full = [0xA700]
    with contextlib.ExitStack() as peers:
        ports = {
            "black-hole": peers.enter_context(bad_pacs.black_hole()),
            "silent": peers.enter_context(bad_pacs.silent()),
            "no-answer": peers.enter_context(bad_pacs.answers_nothing()),
            "no-reader": peers.enter_context(bad_pacs.stops_reading()),
            "refusing": peers.enter_context(bad_pacs.refuses()),
            "aborting": peers.enter_context(bad_pacs.aborts()),
            "closing": peers.enter_context(bad_pacs.closes()),
            "full": peers.enter_context(bad_pacs.pacs(EVT_C_STORE=lambda _event: full[0])),
            "mistrusting": peers.enter_context(bad_pacs.pacs(EVT_C_STORE=lambda _event: 0xA900)),
            "good": peers.enter_context(bad_pacs.pacs()),
        }
        destinations = [
            {"name": name, "host": "127.0.0.1", "port": port, "connect_timeout": 600.0, "response_timeout": 600.0}
            for name, port in ports.items()
        ]
        delivery = {"first_retry": 600.0, "longest_retry": 600.0}
        mammonode: RunningNode = node(destinations=destinations, sections={"delivery": delivery})
        studies = []
        for number in range(STUDIES):
            files = write_study(tmp_path / str(number), rows=64, columns=48)
            studies.append(str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID))
            storescu(files, mammonode.port)

        def places() -> dict[str, dict[str, Any]]:
            return {row["name"]: row for row in node_status.status(mammonode.settings)["destinations"]}

        def settled() -> bool:
            found = places()
            away = [found[name] for name in ("refusing", "aborting", "full")]
            return (
                found["good"]["delivered"] == STUDIES
                and found["mistrusting"]["failed"] == STUDIES
                and all(row["waiting"] == STUDIES and row["last_error"] and row["next_attempt"] for row in away)
            )

        wait_for(settled, 200, "a good destination waits for bad ones", places)
        said = places()
        assert [said[name]["waiting"] for name in SILENT] == [STUDIES] * len(SILENT)
        assert "does not answer" in said["refusing"]["last_error"]
        assert "0xA700" in said["full"]["last_error"]
        assert "0xA900" in said["mistrusting"]["last_error"]

        full[0] = 0x0000
        assert operations.retry(mammonode.settings, studies[0])["ok"]
        # one gets through at once, and wakes the others
        wait_for(lambda: places()["full"]["delivered"] == STUDIES, 200, "retry does not act at once")
        assert operations.cancel(mammonode.settings, studies[1])["ok"]
        states = {row["destination"]: row["state"] for row in mammonode.status(studies[1])["deliveries"]}
        assert {states[name] for name in SILENT} == {"cancelled"}
