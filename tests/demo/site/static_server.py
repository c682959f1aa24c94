"""A static server on loopback that knows what it sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Without the host's own table, which may lack modules of JavaScript.
TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript",
    ".json": "application/json", ".css": "text/css", ".webp": "image/webp",
}  # fmt: skip


class StaticServer:
    """Attributes: address, and paths and bytes of what was sent."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.sent: list[tuple[str, int]] = []
        self.methods: set[str] = set()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args, **options):
        self.extensions_map = {"": "application/octet-stream", **TYPES}
        super().__init__(*args, **options)

    def send_header(self, keyword, value):
        if keyword.lower() == "content-length":
            self.server.record.sent.append((self.path, int(value)))  # type: ignore[attr-defined]
            self.server.record.methods.add(self.command)  # type: ignore[attr-defined]
        super().send_header(keyword, value)

    def log_message(self, *_):
        pass


@contextmanager
def serve_folder(folder: Path) -> Iterator[StaticServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=folder)) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a page was closed
        server.record = StaticServer(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.record  # type: ignore[attr-defined]
        server.shutdown()
