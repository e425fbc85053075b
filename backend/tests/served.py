"""The application behind a real socket, in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import uvicorn
from fastapi import FastAPI


class Served:
    """`with Served(app) as server: httpx.get(server.url + "/health/live")`"""

    def __init__(self, app: FastAPI, **options: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", **options)
        self._server = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="served", daemon=True
        )

    def __enter__(self) -> Served:
        self.thread.start()
        until = time.monotonic() + 20
        while not self._server.started:
            if not self.thread.is_alive() or time.monotonic() > until:
                raise RuntimeError("the server did not start")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self.thread.join(20)
        self._socket.close()
        assert not self.thread.is_alive()
