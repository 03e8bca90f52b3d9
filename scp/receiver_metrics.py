"""What the receiver counts. The values of all processes meet in the folder PROMETHEUS_MULTIPROC_DIR."""

from enum import StrEnum

from prometheus_client import Counter


class Outcome(StrEnum):
    """What became of a received instance."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    DROPPED = "dropped"
    OWN_RESULT = "own result"
    REFUSED = "refused"


INSTANCES = Counter("mammonode_instances_received", "Instances received by C-STORE.", ["outcome"])
BYTES = Counter("mammonode_bytes_received", "Bytes of the instances received by C-STORE.")
ASSOCIATIONS = Counter("mammonode_associations", "Associations requested of the listener.", ["outcome"])
