"""`make faults`: KILLS (100), SEED, ENGINE (sqlite, postgres or both); prints a table and writes faults.json."""

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.campaign import Campaign
from faults.cluster import Cluster


def main() -> int:
    kills, seed = int(os.environ.get("KILLS", "100")), int(os.environ.get("SEED", "1"))
    engine = os.environ.get("ENGINE", "sqlite")
    answers = {}
    for name in ("sqlite", "postgres") if engine == "both" else (engine,):
        with tempfile.TemporaryDirectory(prefix="mammonode-faults-", ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o755)  # PostgreSQL runs as a user of its own
            started = time.monotonic()
            cluster = Cluster(Path(folder) / "postgres").create() if name == "postgres" else None
            campaign = Campaign(Path(folder), kills, seed, cluster, machines=2 if cluster else 1)
            try:
                reckoning = campaign.run()
            finally:
                left = campaign.close()
                if keep := os.environ.get("KEEP"):
                    shutil.copytree(
                        folder, f"{keep}-{name}", dirs_exist_ok=True, ignore=shutil.ignore_patterns("postgres")
                    )
                if cluster is not None:
                    cluster.stop()
            for command in left:
                print(f"outlived its node: {command}")
            print(f"\n{name}, {time.monotonic() - started:.0f} s, seed {seed}\n{reckoning.table()}\n", flush=True)
            answers[name] = reckoning.as_json() | {
                "outlived": len(left),
                "seconds": round(time.monotonic() - started),
                "seed": seed,
            }
    Path("faults.json").write_text(json.dumps(answers, indent=1))
    return 0 if all(answer["ok"] and not answer["outlived"] for answer in answers.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
