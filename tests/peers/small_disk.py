"""A file system of its own, that can be filled, made read-only, and robbed of its power.

Mounting needs root, or a user namespace (`unshare --map-root-user --mount`, see tests/end_to_end/conftest.py); a loop
device and the power cut need the real root.
"""

import fcntl
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from peers.waiting import wait_for

FS_IOC_SHUTDOWN = 0x8004587D
"""_IOR('X', 125, __u32): the file system stops at once (ext4, XFS, F2FS)."""

NOLOGFLUSH = (2).to_bytes(4, "little")
"""What is neither synced nor committed is gone, as after a power cut."""


@dataclass
class SmallDisk:
    """`megabytes` in memory, or with `image` ext4 on a loop device of which nothing is written unasked."""

    folder: Path
    megabytes: int
    image: Path | None = None

    def make(self) -> "SmallDisk":
        """Make it, empty, and mount it."""
        self.folder.mkdir(parents=True)
        if self.image is not None:
            with self.image.open("wb") as file:
                file.truncate(self.megabytes << 20)
            _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self.image))
        self.mount()
        return self

    def mount(self) -> None:
        """Mount it; ext4 plays its log back."""
        if self.image is not None:
            # without the commit every 5 s, what nobody synced stays in memory
            _run("mount", "-o", "loop,commit=3600", str(self.image), str(self.folder))
        else:
            _run("mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m,mode=700", "mammonode-test", str(self.folder))

    def unmount(self) -> None:
        """Unmount it, also while something is open."""
        _run("umount", "--lazy", str(self.folder))

    def unmount_unused(self) -> None:
        """Unmount it as soon as the last killed process has let go: only then its device is free."""
        wait_for(
            lambda: subprocess.run(["umount", str(self.folder)], capture_output=True, check=False).returncode == 0
        )

    def unmount_all(self) -> None:
        """Whatever a test has left mounted there."""
        while os.path.ismount(self.folder):
            self.unmount()

    def fill(self) -> None:
        """Leave no byte free."""
        ballast = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for size in (1 << 20, 1 << 12, 1):
                while True:
                    try:
                        os.write(ballast, bytes(size))
                    except OSError:
                        break
        finally:
            os.close(ballast)

    def give_space(self) -> None:
        """Take back what `fill` did."""
        self._ballast.unlink()

    def protect(self) -> None:
        """Whoever opens a file there from now on finds the file system read-only."""
        _run("mount", "--bind", str(self.folder), str(self.folder))
        _run("mount", "-o", "remount,bind,ro", str(self.folder))

    def unprotect(self) -> None:
        """Take back what `protect` did."""
        self.unmount()

    def cut_power(self) -> None:
        """The file system stops; after `unmount` and `mount` it holds what was durable at that moment."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, FS_IOC_SHUTDOWN, NOLOGFLUSH)
        finally:
            os.close(descriptor)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PermissionError(
            f"{' '.join(command)}: {done.stderr.strip()}. These tests mount a file system: run them as root (in a "
            "container with --cap-add SYS_ADMIN), or where a user may have namespaces of his own (sysctl "
            "user.max_user_namespaces); pytest -m 'not disks' leaves them out."
        )
