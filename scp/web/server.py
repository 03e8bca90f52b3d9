"""The page's process: uvicorn around create_app. No access log: a URL is nobody's business."""

import uvicorn

from config.settings import Settings
from scp.journal import Journal
from scp.receiver import spool_folder
from scp.result_folders import ResultFolders
from scp.spool import Spool
from scp.web.app import create_app


def run_web(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises OSError: the port is taken."""
    journal = Journal.open(settings)
    listener, web = settings.listener, settings.web
    spool = Spool(spool_folder(settings), f"web-{settings.node.name}", listener.free_space, listener.maximum_dataset)
    spool.sweep()
    results = ResultFolders(settings.node.folder / "results")
    config = uvicorn.Config(
        create_app(settings, journal, spool, results),
        host=web.bind,
        port=web.port,
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_certfile=web.certificate,
        ssl_keyfile=web.private_key,
        timeout_graceful_shutdown=int(settings.node.drain_seconds),
    )
    server = uvicorn.Server(config)
    try:
        server.run()
    finally:
        journal.close()
    return 0 if server.started else 1
