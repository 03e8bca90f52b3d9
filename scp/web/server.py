"""The page's process: uvicorn around create_app. No access log: a URL is nobody's business."""

import uvicorn
from fastapi import FastAPI

from config.settings import Settings
from scp.durable import hold
from scp.journal import Journal
from scp.receiver import spool_folder
from scp.result_folders import ResultFolders
from scp.spool import Spool
from scp.tls import TlsContext, server_context
from scp.web.app import create_app
from scp.web.https import HttpsServer
from scp.web.patience import PatientProtocol


def run_web(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises OSError: the certificate cannot be read."""
    journal = Journal.open(settings)
    listener = settings.listener
    spool = Spool(spool_folder(settings), f"web-{settings.node.name}", listener.free_space, listener.maximum_dataset)
    # an earlier page that still ends an upload writes there
    hold(settings.node.folder / "locks" / f"web-{settings.node.name}.lock", wait=True)
    spool.sweep()
    results = ResultFolders(settings.node.folder / "results")
    server = web_server(settings, create_app(settings, journal, spool, results))
    try:
        server.run()
    finally:
        journal.close()
    return 0 if server.started else 1


def web_server(settings: Settings, app: FastAPI) -> uvicorn.Server:
    """A server for the page, over HTTPS where there is a certificate. Raises OSError: that cannot be read."""
    web = settings.web
    config = uvicorn.Config(
        app,
        host=web.bind,
        port=web.port,
        http=PatientProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        # X-Forwarded-For is anyone's to write: the login's brake and the log go by the connection's own address
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.node.drain_seconds),
    )
    return HttpsServer(config, TlsContext(web.tls, server_context)) if web.tls.enabled else uvicorn.Server(config)
