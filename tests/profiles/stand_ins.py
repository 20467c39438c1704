"""Local servers for what cannot be reached: each stands at the gateway of the namespace, under the
names that the programs know, with certificates made for the occasion."""

import http.server
import json
import os
import random
import ssl
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path


PORT = 443


@contextmanager
def serve(address, names, handler):
    """Serves `handler` over TLS as all of `names`; gives the variables that make programs trust it."""
    with tempfile.TemporaryDirectory(prefix="egret-stand-in-") as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        also = ",".join(f"DNS:{name}" for name in names)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
             f"/CN={names[0]}", "-addext", f"subjectAltName={also}", "-keyout", key, "-out",
             certificate],
            check=True, capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = http.server.ThreadingHTTPServer((address, PORT), handler)
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        trust = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"]
        try:
            yield {name: certificate for name in trust}
        finally:
            server.shutdown()
            server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1 with connections that are kept, and no log."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    # As servers of the trade do; and one write an answer.
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, content, kind="application/json", status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


# --- git

def git_handler(root):
    """`git http-backend` for the bare repositories below `root`."""

    class Git(Handler):
        def do_GET(self):
            self.pass_on(b"")

        def do_POST(self):
            self.pass_on(self.body())

        def pass_on(self, body):
            path, _, query = self.path.partition("?")
            env = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "task",
                "REMOTE_ADDR": "127.0.0.1",
            }
            done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n") if b": " in line)
            status = int(fields.get(b"Status", b"200").split()[0])
            self.answer(content, fields.get(b"Content-Type", b"text/plain").decode(), status)

    return Git


# Where the trees of the repositories come from: public sources that Cargo and Python have put on
# this machine.
def source_trees():
    sources = sorted(Path.home().glob(".cargo/registry/src/*/*"))
    return [path for path in sources if path.is_dir()]


COMMITTER = {
    "GIT_AUTHOR_NAME": "Task", "GIT_AUTHOR_EMAIL": "task@example.com",
    "GIT_COMMITTER_NAME": "Task", "GIT_COMMITTER_EMAIL": "task@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


def make_repositories(root, count):
    """Bare repositories acme/service-1.git and on, each of one to four public source trees, each tree
    a commit and some commits of changes on top."""
    chance = random.Random(4)
    trees = source_trees()
    env = os.environ | COMMITTER
    for number in range(1, count + 1):
        work = root / f"work-{number}"
        git = ["git", "-C", str(work)]
        subprocess.run(["git", "init", "-q", "-b", "main", str(work)], check=True, env=env)
        for tree in chance.sample(trees, min(len(trees), 1 + number % 4)):
            subprocess.run(["cp", "-r", str(tree), str(work)], check=True)
            commit(git, f"add {tree.name}", env)
        files = [path for path in sorted(work.rglob("*.rs"))]
        for change in range(number):
            path = chance.choice(files)
            with open(path, "a") as file:
                file.write(f"// change {change}\n" * chance.randint(1, 40))
            commit(git, f"change {change}", env)
        bare = root / "acme" / f"service-{number}.git"
        subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True, env=env)
        subprocess.run(["git", "-C", str(bare), "config", "http.receivepack", "true"], check=True)


def commit(git, message, env):
    subprocess.run([*git, "add", "-A", "-f"], check=True, env=env)
    subprocess.run([*git, "commit", "-q", "-m", message], check=True, env=env)


@contextmanager
def git_server(address, names, count):
    with tempfile.TemporaryDirectory(prefix="egret-git-") as folder:
        root = Path(folder)
        make_repositories(root, count)
        with serve(address, names, git_handler(root)) as trust:
            env = {key: COMMITTER[key] for key in COMMITTER if key != "GIT_CONFIG_GLOBAL"}
            yield trust | env | {"GIT_ROOT": str(root)}


# --- a model API

# Until the first token and between two pieces, in seconds: what public models take.
FIRST_TOKEN_S = (0.4, 2.5)
PIECE_S = (0.018, 0.07)
WORDS = "the file has a test that fails because this value is read before it was set so change it".split()


def model_handler(seed):
    """Streams answers as the two usual model APIs do, at the pace of tokens. Every answer asks for a
    tool until the conversation is as long as its first message says."""
    chance = random.Random(seed)

    class Model(Handler):
        def do_POST(self):
            asked = json.loads(self.body())
            if self.path.endswith("/messages"):
                events = anthropic_events(chance)
            else:
                events = openai_events(chance)
            assert asked["stream"]
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            time.sleep(chance.uniform(*FIRST_TOKEN_S))
            pace = chance.uniform(*PIECE_S)
            for event in events:
                time.sleep(pace * chance.uniform(0.5, 1.5))
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                if event not in LAST_EVENTS:
                    self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

    return Model


def event(name, content):
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(content)}\n\n".encode()


# The end of the stream goes out together with these.
LAST_EVENTS = (event("message_stop", {"type": "message_stop"}), b"data: [DONE]\n\n")


def texts(chance):
    for _ in range(chance.randint(8, 36)):
        yield " ".join(chance.choices(WORDS, k=chance.randint(1, 6))) + " "


def anthropic_events(chance):
    usage = {"input_tokens": 1000, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "model", "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield event("message_start", {"type": "message_start", "message": message})
    block = {"type": "text", "text": ""}
    yield event("content_block_start",
                {"type": "content_block_start", "index": 0, "content_block": block})
    for text in texts(chance):
        delta = {"type": "text_delta", "text": text}
        yield event("content_block_delta",
                    {"type": "content_block_delta", "index": 0, "delta": delta})
    yield event("content_block_stop", {"type": "content_block_stop", "index": 0})
    yield event("message_delta", {"type": "message_delta",
                                  "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                                  "usage": {"output_tokens": 100}})
    yield LAST_EVENTS[0]


def openai_events(chance):
    for text in texts(chance):
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        yield event(None, {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                           "model": "model", "choices": [choice]})
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield event(None, {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                       "model": "model", "choices": [choice]})
    yield LAST_EVENTS[1]


@contextmanager
def model_api(address, names):
    with serve(address, names, model_handler(5)) as trust:
        yield trust | {"ANTHROPIC_API_KEY": "k" * 108, "OPENAI_API_KEY": "k" * 164}


# --- a web server and an API

def web_handler(seed):
    chance = random.Random(seed)

    class Web(Handler):
        def do_GET(self):
            """As many bytes as the path's last part says, or an answer of an API."""
            last = self.path.rsplit("/", 1)[-1]
            if last.startswith("bytes-"):
                self.answer(chance.randbytes(int(last[6:])), "application/octet-stream")
            else:
                self.answer(json.dumps(rows(chance)).encode())

        def do_POST(self):
            self.body()
            time.sleep(chance.uniform(0.02, 0.3))
            self.answer(json.dumps({"id": chance.randrange(10**6), "ok": True}).encode(), status=201)

        do_PUT = do_POST
        do_PATCH = do_POST

    return Web


def rows(chance):
    return [{"id": number, "title": " ".join(chance.choices(WORDS, k=8))}
            for number in range(chance.randint(1, 60))]


@contextmanager
def web_server(address, names):
    with serve(address, names, web_handler(6)) as trust:
        yield trust
