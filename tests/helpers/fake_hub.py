"""The HTTP API of the Hugging Face Hub, as far as bundles need it, on the loopback interface."""

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_test"
MODEL = r"/api/models/(?P<repo>[^/]+/[^/]+)"


@dataclass
class FakeHub:
    """Repositories by name: their commits, each with all files, the oldest first.

    Attributes:
        requests: method and path of each request.
    """

    repos: dict[str, list[tuple[str, dict[str, bytes]]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    endpoint: str = ""

    def commit(self, repo: str, files: dict[str, bytes]) -> str:
        """Add a commit with these files and return its hash."""
        commits = self.repos.setdefault(repo, [])
        sha = hashlib.sha1(f"{repo}{len(commits)}{sorted(files)}".encode()).hexdigest()
        commits.append((sha, files))
        return sha

    def files(self, repo: str, revision: str = "main") -> tuple[str, dict[str, bytes]] | None:
        """Return the commit of a branch or hash, or None."""
        commits = self.repos.get(repo, [])
        found = commits[-1:] if revision == "main" else [c for c in commits if c[0] == revision]
        return found[0] if found else None


@contextmanager
def fake_hub(monkeypatch, cache):
    """Run a hub, and make huggingface_hub use it with an empty cache."""
    from huggingface_hub import constants

    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def handler(hub):
    """Return the request handler of a hub."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, content=b"", **headers):
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def missing(self, code):
            self.answer(404, {"error": code}, X_Error_Code=code)

        def found(self, pattern):
            return re.fullmatch(pattern, self.path.partition("?")[0])

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            hub.requests.append(f"{self.command} {self.path}")
            file = self.found(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
            info = self.found(MODEL + r"(/(?P<kind>revision|tree)/(?P<revision>[^/]+))?")
            asked = file or info
            if asked is None or asked["repo"] not in hub.repos:
                return self.missing("RepoNotFound")
            commit = hub.files(asked["repo"], asked["revision"] or "main")
            if commit is None:
                return self.missing("RevisionNotFound")
            sha, files = commit
            if file is not None:
                content = files[file["name"]]
                return self.answer(200, content, ETag=f'"{digest(content)}"', X_Repo_Commit=sha)
            entries = [{"type": "file", "path": name, "oid": digest(content), "size": len(content)}
                       for name, content in files.items()]  # fmt: skip
            if info["kind"] == "tree":
                return self.answer(200, entries)
            siblings = [{"rfilename": name} for name in files]
            return self.answer(200, {"id": asked["repo"], "sha": sha, "siblings": siblings})

        def do_POST(self):
            hub.requests.append(f"{self.command} {self.path}")
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.answer(401, {"error": "Invalid username or password."})
            if self.path == "/api/repos/create":
                wanted = json.loads(body)
                repo = f"{wanted['organization']}/{wanted['name']}"
                known = repo in hub.repos
                if not known:
                    hub.commit(repo, {".gitattributes": b""})
                return self.answer(409 if known else 200, {"url": f"{hub.endpoint}/{repo}"})
            if self.path == "/api/validate-yaml":
                return self.answer(200, {"errors": [], "warnings": []})
            if self.found(MODEL + "/preupload/main"):
                files = json.loads(body)["files"]
                modes = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                         for one in files]  # fmt: skip
                return self.answer(200, {"files": modes})
            asked = self.found(MODEL + "/commit/main")
            return self.commit(asked["repo"], [json.loads(line) for line in body.splitlines()])

        def commit(self, repo, lines):
            files = dict(hub.files(repo)[1])
            for line in lines:
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                if line["key"] == "deletedFile":
                    del files[line["value"]["path"]]
            sha = hub.commit(repo, files)
            url = f"{hub.endpoint}/{repo}/commit/{sha}"
            self.answer(200, {"commitUrl": url, "commitOid": sha})

    return Handler


def digest(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
