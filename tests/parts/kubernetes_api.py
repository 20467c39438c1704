"""The part of the Kubernetes API that watching pods needs, over plain HTTP.

List with a resource version, watch as a stream of JSON lines (ADDED, MODIFIED, DELETED, BOOKMARK),
`410 Gone` for a version that is too old, label and field selectors passed through and written to
standard output. It is driven over the same port: `PUT /pods/NAMESPACE/NAME` with a pod as JSON,
`DELETE /pods/NAMESPACE/NAME`, `POST /forget` (drops the watches, and what happened before is Gone).

Usage: kubernetes_api.py PORT
"""

import http.server
import json
import queue
import sys
import threading
import urllib.parse

lock = threading.Lock()
pods, history, watches = {}, [], []
version, oldest = 100, 100


def happen(kind, pod):
    """A pod changes: it gets a new version, and every watch hears of it."""
    global version
    version += 1
    pod["metadata"]["resourceVersion"] = str(version)
    event = {"type": kind, "object": {"apiVersion": "v1", "kind": "Pod", **pod}}
    history.append((version, event))
    for watch in watches:
        watch.put(event)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_PUT(self):
        pod = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            kind = "MODIFIED" if self.path in pods else "ADDED"
            pods[self.path] = pod
            happen(kind, pod)
        self.answer(200, {})

    def do_DELETE(self):
        with lock:
            happen("DELETED", pods.pop(self.path))
        self.answer(200, {})

    def do_POST(self):
        global oldest, version
        with lock:
            version += 1
            oldest = version
            history.clear()
            for watch in watches:
                watch.put(None)
        self.answer(200, {})

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(url.query))
        print(f"GET {url.path} {json.dumps(asked, sort_keys=True)}", flush=True)
        if asked.get("watch") in ("true", "1"):
            return self.watch(asked)
        with lock:
            items = [{**pod} for pod in pods.values()]
            body = {"apiVersion": "v1", "kind": "PodList", "items": items,
                    "metadata": {"resourceVersion": str(version)}}  # fmt: skip
        self.answer(200, body)

    def watch(self, asked):
        since = int(asked.get("resourceVersion") or 0)
        mine = queue.Queue()
        with lock:
            if since < oldest:
                gone = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                        "message": f"too old resource version: {since}", "reason": "Expired",
                        "code": 410}  # fmt: skip
                return self.answer(200, {"type": "ERROR", "object": gone})
            for at, event in history:
                if at > since:
                    mine.put(event)
            watches.append(mine)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while (event := mine.get()) is not None:
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        finally:
            with lock:
                watches.remove(mine)
            self.close_connection = True

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.daemon_threads = True
print("ready", flush=True)
server.serve_forever()
