"""A model hub on loopback with one repository: what ``snapshot_download`` asks for, and no more."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


class Hub:
    """Serves a folder as ``owner/name``; ``asked`` lists what was asked for, ``broken`` names files that break off."""

    def __init__(self, root: Path, repository: str):
        self.root, self.repository = root, repository
        self.asked: list[str] = []
        self.broken: set[str] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                hub.reply(self, with_body=False)

            def do_GET(self):
                hub.reply(self, with_body=True)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def files(self) -> list[str]:
        return sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())

    def reply(self, request, with_body: bool):
        path = unquote(urlsplit(request.path).path)
        self.asked.append(f"{request.command} {path}")
        if path.startswith(f"/api/models/{self.repository}"):
            if "/tree/" in path:
                return self.send_json(request, [self.entry(name) for name in self.files()])
            if "/revision/missing" in path:
                return self.send(request, 404, b"", {"X-Error-Code": "RevisionNotFound"}, with_body)
            siblings = [{"rfilename": name} for name in self.files()]
            return self.send_json(request, {"id": self.repository, "sha": COMMIT, "siblings": siblings})
        head = f"/{self.repository}/resolve/{COMMIT}/"
        file = self.root / path.removeprefix(head)
        if path.startswith(head) and file.is_file():
            return self.send_file(request, file, with_body)
        return self.send(request, 404, b"", {"X-Error-Code": "RepoNotFound"}, with_body)

    def entry(self, name: str) -> dict:
        content = (self.root / name).read_bytes()
        return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def send_file(self, request, file: Path, with_body: bool):
        content = file.read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        wanted, status = request.headers.get("Range"), 200
        if wanted:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.asked.append(f"from {start} {file.name}")
            content, status = content[start:], 206
        cut = with_body and file.name in self.broken
        self.send(request, status, content, headers, with_body, len(content) // 2 if cut else None)

    def send_json(self, request, content):
        self.send(request, 200, json.dumps(content).encode(), {"Content-Type": "application/json"}, True)

    def send(self, request, status: int, content: bytes, headers: dict, with_body: bool, cut: int | None = None):
        request.send_response(status)
        for key, value in headers.items():
            request.send_header(key, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if with_body:
            request.wfile.write(content[:cut])
            request.wfile.flush()
        if cut is not None:
            request.close_connection = True
