"""A small HTTP server on loopback that answers in the words of a test: for faults that no real server makes on demand."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Step = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each POST by the next step of the script, the last one for ever."""

    protocol_version = "HTTP/1.1"
    server: "ScriptedServer"

    def do_GET(self) -> None:
        self.send(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.server.models]})

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bodies.append(content)
            self.server.keys.append(self.headers.get("Authorization", ""))
            step = self.server.script[min(len(self.server.bodies), len(self.server.script)) - 1]
        step(self)

    def send(self, status: int, content: Any, **headers: str) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def start_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

    def event(self, content: str) -> None:
        self.wfile.write(f"data: {content}\n\n".encode())
        self.wfile.flush()

    def piece(self, text: str = "", finish: str | None = None, **more: Any) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish, **more}
        self.event(json.dumps({"id": "1", "object": "chat.completion.chunk", "created": 0, "choices": [choice]}))

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


class ScriptedServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: list[Step], models: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.models = script, models
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def serving(*script: Step, models: tuple[str, ...] = ("only",)) -> Iterator[ScriptedServer]:
    server = ScriptedServer(list(script), list(models))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def says(text: str, finish: str = "stop", pieces: int = 3, logprob: float | None = None) -> Step:
    """Stream a text in some pieces."""

    def step(handler: Handler) -> None:
        handler.start_stream()
        size = -(-len(text) // pieces) or 1
        for start in range(0, len(text), size):
            part = text[start : start + size]
            token = {"token": part, "logprob": logprob, "bytes": None, "top_logprobs": []}
            handler.piece(part, **({} if logprob is None else {"logprobs": {"content": [token]}}))
        handler.piece(finish=finish)
        usage = {"prompt_tokens": 9, "completion_tokens": pieces, "total_tokens": 9 + pieces}
        handler.event(json.dumps({"id": "1", "choices": [], "usage": usage}))
        handler.event("[DONE]")

    return step


def fails(status: int, message: str, **headers: str) -> Step:
    return lambda handler: handler.send(status, {"error": {"message": message}}, **headers)
