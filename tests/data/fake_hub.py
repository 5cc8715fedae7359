"""A server that gives the files of one data set or model as the Hub does, so that the real client can be tested."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]


class FakeHub(ThreadingHTTPServer):
    """`commits` maps revision → commit, `files` commit → the files of that commit; `kind` is datasets or models.

    `slow` is how many bytes a second of a file go out, where they are to be counted out one by one.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, name: str, commits: dict[str, str], files: dict[str, Files], kind: str = "datasets", slow: float = 0
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.commits, self.files, self.kind, self.slow = name, commits, files, kind, slow

    @property
    def address(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve until the block is left."""
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeHub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        kind, name = self.server.kind, self.server.name
        before, api = "/datasets/" if kind == "datasets" else "/", f"/api/{kind}/{name}"
        resolve = f"{before}{name}/resolve/"
        if path.startswith(resolve):
            revision, _, name = path.removeprefix(resolve).partition("/")
            self._give_file(self.server.commits.get(revision, revision), name)
        elif path == f"/api/{kind}":
            self._give_json([{"id": name, "sha": "", "tags": []}])
        elif path.startswith(api):
            verb, _, revision = path.removeprefix(api).lstrip("/").partition("/")
            asked = revision.split("/")[0] or "main"
            commit = self.server.commits.get(asked, asked)
            files = self.server.files.get(commit)
            if files is None:
                self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
            elif verb == "tree":
                self._give_json([_entry(name, content) for name, content in files.items()])
            else:
                siblings = [{"rfilename": name, "size": len(content)} for name, content in files.items()]
                self._give_json({"id": self.server.name, "sha": commit, "siblings": siblings, "tags": []})
        else:
            self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _give_file(self, commit: str, name: str) -> None:
        files = self.server.files.get(commit)
        if files is None:
            self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif name not in files:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        else:
            self._answer(200, files[name], {"ETag": f'"{_digest(files[name])}"', "X-Repo-Commit": commit})

    def _give_json(self, answer: object) -> None:
        self._answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _answer(self, code: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        slow = self.server.slow if "/resolve/" in self.path else 0
        with contextlib.suppress(OSError):
            for place in range(len(content)) if slow else ():
                time.sleep(1 / slow)
                self.wfile.write(content[place : place + 1])
            if not slow:
                self.wfile.write(content)


def _entry(name: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(content), "oid": _digest(content)}


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
