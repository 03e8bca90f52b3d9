"""Metrics that are true at the moment of asking, beside those that the node's processes have written down."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from scp.journal_rows import StudyState
from scp.web.state import WebState

STUDIES = "mammonode_studies"
QUEUE = "mammonode_delivery_queue"


class Live(Collector):
    """Studies by state, queues, disk, GPUs and destinations."""

    def __init__(self, state: WebState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """One family each."""
        yield self._studies()
        yield self._queues()
        disk = shutil.disk_usage(self._state.settings.node.folder)
        yield GaugeMetricFamily("mammonode_disk_free_bytes", "Free space for the node's folder.", value=disk.free)
        yield GaugeMetricFamily("mammonode_disk_size_bytes", "Size of that disk.", value=disk.total)
        yield from self._gpus()
        up = GaugeMetricFamily(
            "mammonode_destination_up", "1 if a destination answered the last C-ECHO.", labels=["destination"]
        )
        for name, echo in self._state.echoes.last.items():
            up.add_metric([name], float(echo.ok))
        yield up

    def _studies(self) -> Metric:
        family = GaugeMetricFamily(STUDIES, "Studies by state.", labels=["state"])
        counts = self._state.journal.counts()
        for state in StudyState:
            family.add_metric([state.value], counts.get(state, 0))
        return family

    def _queues(self) -> Metric:
        family = GaugeMetricFamily(QUEUE, "Deliveries that are not over.", labels=["destination"])
        names = [destination.name for destination in self._state.settings.destinations]
        for row in self._state.journal.destinations(names):
            family.add_metric([row.destination], row.waiting + row.retrying + row.confirming)
        return family

    def _gpus(self) -> Iterator[Metric]:
        used = GaugeMetricFamily("mammonode_gpu_memory_used_bytes", "GPU memory in use.", labels=["gpu"])
        total = GaugeMetricFamily("mammonode_gpu_memory_bytes", "GPU memory.", labels=["gpu"])
        busy = GaugeMetricFamily("mammonode_gpu_utilisation_ratio", "GPU utilisation.", labels=["gpu"])
        for number, gpu in enumerate(self._state.gpus.now()):
            label = [f"{number} {gpu.name}"]
            used.add_metric(label, gpu.memory_used)
            total.add_metric(label, gpu.memory_total)
            busy.add_metric(label, gpu.utilisation)
        yield from (used, total, busy)


def exposition(state: WebState, folder: Path) -> bytes:
    """All metrics in Prometheus' text format 0.0.4. `folder`: where the processes write theirs."""
    registry = CollectorRegistry()
    if folder.is_dir():
        MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]  # has no annotations
    registry.register(Live(state))
    return generate_latest(registry)
