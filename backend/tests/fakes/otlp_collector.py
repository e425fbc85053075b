"""A collector of OpenTelemetry traces on a free loopback port: takes OTLP over HTTP and keeps what came."""

from __future__ import annotations

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """`status` and `seconds`: how it answers, and after how long. `raw`: all bodies, uncompressed;
    `answered` lets one pass for each request that was answered, a refused one too."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], ExportTraceServiceRequest]] = []
        self.raw = b""
        self.answered = threading.Semaphore(0)
        self.status = 200
        self.seconds = 0.0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(collector.seconds)
                if collector.status == 200:
                    collector._take(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                collector.answered.release()

            def log_message(self, *_: object) -> None:
                """Not on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def spans(self) -> list[Any]:
        """All of them, as they are on the wire, in the order of their coming."""
        resources = [resource for _, _, request in self.requests for resource in request.resource_spans]
        return [span for resource in resources for scope in resource.scope_spans for span in scope.spans]

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        content = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        self.raw += content
        self.requests.append((path, headers, ExportTraceServiceRequest.FromString(content)))


def told(attributes: Any) -> dict[str, Any]:
    """Attributes of the wire as a dict."""
    found = {}
    for pair in attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        found[pair.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found
