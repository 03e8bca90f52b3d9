"""Prometheus metrics of all processes of a node, without identity.

Every process writes into PROMETHEUS_MULTIPROC_DIR, which `scp.node` sets before it starts them; the page's
/metrics adds them up.
"""

from collections.abc import Mapping

from prometheus_client import Counter, Histogram

from inference.results import ModuleStatus, Status, StudyResult

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
SCORES = tuple(step / 20 for step in range(1, 21))

STAGE = Histogram("mammonode_stage_seconds", "Time spent in a stage.", ["stage"], buckets=SECONDS)
TURNAROUND = Histogram(
    "mammonode_turnaround_seconds",
    "From the last instance of a study to its delivery.",
    buckets=(*SECONDS, 3600, 86400),
)
IMAGES = Counter("mammonode_images", "Images by how they ended.", ["status", "reason"])
SCORE = Histogram(
    "mammonode_score", "Image scores: a drift shows here first.", ["module", "device_model"], buckets=SCORES
)
SENT = Counter("mammonode_objects_sent", "Result objects stored by a destination.", ["destination"])
DELIVERIES = Counter("mammonode_deliveries", "Deliveries by how they ended.", ["destination", "state"])


def count_result(result: StudyResult, device_models: Mapping[str, str]) -> None:
    """Count images by status and reason, and scores by module and device model (by SOP Instance UID)."""
    for image in result.images:
        reason = image.reason.code if image.reason and image.status is not Status.ANALYSED else ""
        IMAGES.labels(image.status.value, reason).inc()
        model = device_models.get(image.sop_instance_uid, "")
        for module in image.modules:
            if module.status is ModuleStatus.SUCCEEDED and module.score is not None:
                SCORE.labels(module.module.value, model).observe(module.score)
