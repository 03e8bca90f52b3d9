"""What every test may use. The folder itself is importable: `from phantoms.mammogram import ...`."""

import os
import subprocess
import sys
from pathlib import Path

# tests run side by side, a core for each; before NumPy and PyTorch start their threads
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))

# a busy machine is no failure; what must be fast has a test that says so
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

SLOW = ("end_to_end", "conformance", "training")
"""Rooms whose files take longest: begun first, so that none of them runs on alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow rooms first, else as collected."""
    items.sort(key=lambda item: item.path.relative_to(TESTS).parts[0] not in SLOW)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test that mounts a file system needs root: any user is, in a namespace of his own."""
    if pyfuncitem.get_closest_marker("disks") is None or os.geteuid() == 0:
        return None
    own = ["unshare", "--map-root-user", "--mount"]
    command = [*own, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "", pyfuncitem.nodeid]
    done = subprocess.run(command, cwd=pyfuncitem.config.rootpath, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"{done.stdout}{done.stderr}\nThis test mounts a small file system. Run it as root, or let users have "
        "namespaces of their own (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0), "
        "or leave it out: pytest -m 'not disks'."
    )
    return True
