"""OHIF over a stand-in PACS: its published build, served with a proxy to DICOMweb (one origin, so no CORS)."""

import hashlib
import http.server
import mimetypes
import shutil
import subprocess
import tarfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

VIEWER = "@ohif/app@3.13.2"
CONFIGURATION = b"""
window.config = {
  name: 'test', routerBasename: null, extensions: [], modes: [], customizationService: {},
  showStudyList: true, maxNumberOfWebWorkers: 2, showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false, showLoadingIndicator: true, strictZSpacingForVolumeViewport: true,
  investigationalUseDialog: { option: 'never' }, disableConfirmationPrompts: true,
  maxNumRequests: { interaction: 8, thumbnail: 2, prefetch: 2 }, defaultDataSourceName: 'dicomweb',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'dicomweb',
    configuration: {
      friendlyName: 'Orthanc', name: 'Orthanc', wadoUriRoot: location.origin + '/wado',
      qidoRoot: location.origin + '/dicom-web', wadoRoot: location.origin + '/dicom-web',
      qidoSupportsIncludeField: false, imageRendering: 'wadors', thumbnailRendering: 'wadors',
      enableStudyLazyLoad: true, supportsFuzzyMatching: false, supportsWildcard: true, supportsReject: false,
      omitQuotationForMultipartRequest: true, bulkDataURI: { enabled: true },
    },
  }],
};
"""


def viewer_files(cache: Path) -> Path:
    """The viewer's build, fetched from the npm registry once and kept in `cache`."""
    folder = cache / "app"
    if not (folder / "package" / "dist" / "index.html").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        archive = _npm(cache, "pack", "--silent", VIEWER).split()[-1]
        with tarfile.open(cache / archive) as packed:
            packed.extractall(folder, filter="data")
    return folder / "package" / "dist"


def adapters(source: Path, cache: Path) -> list[str]:
    """The command that runs `read_objects.mjs` with OHIF's adapters, bundled once for its sources."""
    names = ("package.json", "package-lock.json", "browser.mjs", "read_objects.mjs")
    digest = hashlib.sha256(b"".join((source / name).read_bytes() for name in names)).hexdigest()
    folder = cache / f"adapters-{digest[:12]}"
    if not (folder / "bundle.mjs").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(source / name, folder / name)
        _npm(folder, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        _bundle(folder)
    program = shutil.which("node")
    assert program is not None, "node is missing: make system installs it"
    return [program, "--import", str(folder / "browser.mjs"), str(folder / "bundle.mjs")]


class ViewerServer:
    """Serves the viewer on a free port of loopback and passes /dicom-web on to the PACS."""

    def __init__(self, files: Path, pacs_port: int) -> None:
        handler = type("Handler", (_Handler,), {"files": files.resolve(), "pacs": f"http://127.0.0.1:{pacs_port}"})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ViewerServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: Path
    pacs: str

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith(("/dicom-web", "/wado")):
            self._pass_on()
        elif path == "/app-config.js":
            self._answer(200, "text/javascript", CONFIGURATION)
        else:
            self._file(path)

    def do_POST(self) -> None:
        self._pass_on(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _file(self, path: str) -> None:
        file = (self.files / path.lstrip("/")).resolve()
        if not file.is_relative_to(self.files) or not file.is_file():
            if file.suffix:
                return self._answer(404, "text/plain", b"")
            file = self.files / "index.html"  # a page of the application
        kind = {".wasm": "application/wasm", ".mjs": "text/javascript", ".js": "text/javascript"}.get(file.suffix)
        kind = kind or mimetypes.guess_type(file)[0] or "application/octet-stream"
        return self._answer(200, kind, file.read_bytes())

    def _pass_on(self, data: bytes | None = None) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() in ("accept", "content-type")}
        headers["Host"] = self.headers["Host"]
        try:
            request = urllib.request.Request(self.pacs + self.path, data=data, headers=headers)
            with urllib.request.urlopen(request, timeout=120) as answer:
                self._answer(answer.status, answer.headers.get("Content-Type", ""), answer.read())
        except urllib.error.HTTPError as error:
            self._answer(error.code, "text/plain", error.read())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(body)


def _npm(folder: Path, *arguments: str) -> str:
    program = shutil.which("npm")
    assert program is not None, "npm is missing: make system installs it"
    run = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def _bundle(folder: Path) -> None:
    command = [
        str(folder / "node_modules" / ".bin" / "esbuild"),
        "read_objects.mjs",
        "--bundle",
        "--platform=node",
        "--format=esm",
        "--outfile=bundle.mjs",
        "--loader:.wasm=file",
        "--log-level=error",
        "--banner:js=import { createRequire as nodeRequire } from 'node:module';"
        " const require = nodeRequire(import.meta.url);",
    ]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
