"""What a power cut may leave of a folder: every byte and every name that was synced, and nothing else.

The node runs under strace; its system calls are played back onto two pictures of its folder, as it is and as it is
durable. A file's bytes become durable by fsync of the file, its name by fsync of its folder (POSIX promises no more;
ext4 does more than that). What is written through mmap (SQLite's -shm, the metrics) is taken as lost.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from peers.waiting import wait_for

CALLS = (
    "open,openat,creat,write,pwrite64,writev,lseek,ftruncate,truncate,fallocate,rename,renameat,renameat2,link,linkat,"
    "unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,sendto,sendmsg"
)
# strace pads a short process number
LINE = re.compile(r"(\d+) +(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+)(<.*>)?$", re.DOTALL)
UNFINISHED = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>$", re.DOTALL)
RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)$", re.DOTALL)
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
DESCRIPTOR = re.compile(r"(?:AT_FDCWD|\d+)<([^>]*)>(?!\(deleted\))")

STORE_RESPONSE = b"\x00\x00\x00\x01\x02\x00\x00\x00\x01\x80"  # (0000,0100) Command Field, C-STORE-RSP
SUCCESS = b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00"  # (0000,0900) Status 0x0000
INSTANCE = b"\x00\x00\x00\x10"  # (0000,1000) Affected SOP Instance UID


def traced(log: Path) -> list[str]:
    """The beginning of a command line that writes what `Folder.play` reads; its process is the traced one."""
    options = ["-D", "-f", "-q", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-e", "signal=none"]
    return ["strace", *options, "--seccomp-bpf", "-o", str(log)]


def wait_for_trace(log: Path, pid: int) -> None:
    """Wait until the end of a traced process is written."""
    over = re.compile(rf"^{pid} +\+\+\+ ", re.MULTILINE)
    wait_for(lambda: over.search(log.read_text()[-100_000:]) is not None, what="the trace does not end")


@dataclass(eq=False)
class Node:
    """A file (bytes) or a folder (names), as it is and as it is durable."""

    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    names: "dict[str, Node] | None" = None
    durable_names: "dict[str, Node]" = field(default_factory=dict)
    position: int = 0


@dataclass
class Folder:
    """`root` was empty, and durable, when the trace began."""

    root: Path
    top: Node = field(default_factory=lambda: Node(names={}))

    def play(self, log: Path) -> Iterator[list[str]]:
        """Play a trace back, call by call. Yields the SOP Instance UIDs that are promised by the call: of a C-STORE
        that is answered with Success.
        """
        begun: dict[str, tuple[str, dict[Node, object]]] = {}
        for line in log.read_text().split("\n"):
            if found := UNFINISHED.match(line):
                process, call, arguments = found.groups()
                begun[process] = (f"{process} {call}({arguments}", self._synced(call, arguments))
                continue
            before, early = "", {}
            if found := RESUMED.match(line):
                process, _, rest = found.groups()
                before, early = begun.pop(process)
            else:
                rest = line
            if found := LINE.match(before + rest):
                _, call, arguments, answer, _ = found.groups()
                if not answer.startswith("-"):
                    yield self._apply(call, arguments, int(answer, 0), early)

    def write_durable(self, folder: Path) -> None:
        """What a power cut would leave now, into an empty `folder`."""
        folder.mkdir(mode=0o700)
        self._write(self.top, folder)

    def durable_file(self, path: str) -> bytes | None:
        """The bytes a file would have after a power cut now, None if its name would be gone."""
        node: Node | None = self.top
        for part in Path(path).parts:
            node = node.durable_names.get(part) if node else None
        return node.durable if node else None

    def durable_paths(self) -> Iterator[str]:
        """Every file that would be there after a power cut now, relative to the root."""

        def below(node: Node, place: Path) -> Iterator[str]:
            for name, child in node.durable_names.items():
                yield from below(child, place / name) if child.names is not None else [str(place / name)]

        return below(self.top, Path())

    def _write(self, node: Node, folder: Path) -> None:
        for name, child in node.durable_names.items():
            if child.names is None:
                (folder / name).write_bytes(child.durable)
                (folder / name).chmod(0o600)
            else:
                (folder / name).mkdir(mode=0o700)
                self._write(child, folder / name)

    # the calls

    def _apply(self, call: str, arguments: str, answer: int, early: dict[Node, object]) -> list[str]:
        if call in ("sendto", "sendmsg"):
            return list(_successes(b"".join(_strings(arguments))))
        if call in ("open", "openat", "creat"):
            self._open(call, arguments)
        elif call in ("mkdir", "mkdirat"):
            self._enter(_paths(arguments)[0], Node(names={}))
        elif call in ("rename", "renameat", "renameat2", "link", "linkat"):
            source, target = _paths(arguments)
            node = self._find(source)
            if node is not None:
                self._enter(target, node)
                if call.startswith("rename"):
                    self._leave(source)
        elif call in ("unlink", "unlinkat", "rmdir"):
            self._leave(_paths(arguments)[0])
        elif call in ("fsync", "fdatasync"):
            self._make_durable(early or self._synced(call, arguments))
        else:
            self._change(call, arguments, answer)
        return []

    def _open(self, call: str, arguments: str) -> None:
        path = _paths(arguments)[0]
        node = self._find(path)
        if node is None and ("O_CREAT" in arguments or call == "creat"):
            node = self._enter(path, Node())
        if node is not None and ("O_WRONLY" in arguments or "O_RDWR" in arguments):
            node.position = len(node.content) if "O_APPEND" in arguments else 0
            if "O_TRUNC" in arguments:
                node.content.clear()

    def _change(self, call: str, arguments: str, answer: int) -> None:
        descriptor = DESCRIPTOR.match(arguments)
        node = self._find(_decoded(descriptor[1])) if descriptor else None
        if node is None or node.names is not None:
            return
        numbers = [int(item) for item in re.findall(r", (\d+)(?=,|$)", arguments)]
        if call == "lseek":
            node.position = answer
        elif call == "ftruncate":
            _resize(node, numbers[-1])
        elif call == "pwrite64":
            _put(node, numbers[-1], b"".join(_strings(arguments))[:answer])
        elif call in ("write", "writev"):
            _put(node, node.position, b"".join(_strings(arguments))[:answer])
            node.position += answer

    def _synced(self, call: str, arguments: str) -> dict[Node, object]:
        """What an fsync that begins now is going to make durable."""
        descriptor = DESCRIPTOR.match(arguments)
        node = self._find(_decoded(descriptor[1])) if descriptor and call in ("fsync", "fdatasync") else None
        return {} if node is None else {node: bytes(node.content) if node.names is None else dict(node.names)}

    def _make_durable(self, states: dict[Node, object]) -> None:
        for node, state in states.items():
            if isinstance(state, bytes):
                node.durable = state
            elif isinstance(state, dict):
                node.durable_names = state

    # names

    def _parts(self, path: str) -> tuple[str, ...] | None:
        try:
            return Path(path).relative_to(self.root).parts
        except ValueError:
            return None

    def _find(self, path: str) -> Node | None:
        parts = self._parts(path)
        node: Node | None = self.top if parts is not None else None
        for part in parts or ():
            node = (node.names or {}).get(part) if node else None
        return node

    def _enter(self, path: str, node: Node) -> Node:
        parent = self._find(str(Path(path).parent))
        if parent is not None and parent.names is not None:
            parent.names[Path(path).name] = node
        return node

    def _leave(self, path: str) -> None:
        parent = self._find(str(Path(path).parent))
        if parent is not None and parent.names is not None:
            parent.names.pop(Path(path).name, None)


def _put(node: Node, at: int, piece: bytes) -> None:
    if len(node.content) < at:
        _resize(node, at)
    node.content[at : at + len(piece)] = piece


def _resize(node: Node, size: int) -> None:
    del node.content[size:]
    node.content.extend(bytes(size - len(node.content)))


def _decoded(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode() if text.startswith("\\x") else text


def _strings(arguments: str) -> list[bytes]:
    return [bytes.fromhex(found[1].replace("\\x", "")) for found in STRING.finditer(arguments)]


def _paths(arguments: str) -> list[str]:
    """The paths among the arguments, made absolute by the folder descriptor before each."""
    found, folder = [], ""
    for item in re.finditer(r'(?:AT_FDCWD|\d+)<([^>]*)>|"((?:\\x[0-9a-f]{2})*)"', arguments):
        if item[1] is not None:
            folder = _decoded(item[1])
        else:
            found.append(str(Path(folder) / _decoded(item[2])))
    return found


def _successes(sent: bytes) -> Iterator[str]:
    """The instances of the C-STORE responses in what is sent that say Success."""
    for response in sent.split(STORE_RESPONSE)[1:]:
        if SUCCESS in response and (at := response.find(INSTANCE)) >= 0:
            length = int.from_bytes(response[at + 4 : at + 8], "little")
            yield response[at + 8 : at + 8 + length].rstrip(b"\x00").decode()
