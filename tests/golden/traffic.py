"""What the golden log lines are about: an origin, and clients that ask for it through a proxy."""

import base64
import contextlib
import http.client
import http.server
import socket
import ssl
import subprocess
import threading
import time

PROXY, ORIGIN, TLS_ORIGIN = 18128, 18080, 18443
# Of four digits, so that `::1:8080` may be taken for an address.
ORIGIN_V6 = 8080
BODY = b"x" * 5000
USER, PASSWORD = "sandbox 7", "secret"
NAME, OTHER, SILENT, REFUSED = [f"{name}.example" for name in "origin other silent refused".split()]


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"hello"
        self.send_response(403 if self.path.startswith("/forbidden") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


class OriginV6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextlib.contextmanager
def origin(kind=http.server.ThreadingHTTPServer, address="127.0.0.1", port=ORIGIN, context=None):
    """An origin that listens there, until the block ends."""
    server = kind((address, port), Origin)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def origin_v6():
    return origin(OriginV6, "::1", ORIGIN_V6)


def certificate(folder):
    """A certificate of NAME, signed by itself, and its key, in one file."""
    both = folder / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    command += f" -subj /CN={NAME} -keyout {folder}/key.pem -out {folder}/certificate.pem"
    subprocess.run(command.split(), check=True, stderr=subprocess.DEVNULL)
    parts = [folder / "certificate.pem", folder / "key.pem"]
    both.write_text("".join(part.read_text() for part in parts))
    return both


def tls_origin(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(folder))
    return origin(port=TLS_ORIGIN, context=context)


def send(forward, proxy="127.0.0.1", host=f"localhost:{ORIGIN}"):
    """Sends the requests: as to a forward proxy, or as to a gateway that goes by Host."""
    connection = http.client.HTTPConnection(proxy, PROXY, timeout=5)
    base = f"http://{host}" if forward else ""
    # The login is for the origin: it must not be taken for whom the proxy knows.
    agent = {"User-Agent": 'golden "1"', "Host": host, "Authorization": basic("somebody", "else")}
    for method, path, body in [
        ("GET", "/plain", None),
        ("POST", "/upload?token=1234567890", BODY),
        ("GET", "/odd/%22quote%22/%C3%A9?a=b&c=%20", None),
        ("GET", "/forbidden/by/the/origin", None),
        ("GET", "/refused", None),
    ]:
        headers = dict(agent)
        if body:
            headers["Content-Type"] = "application/octet-stream"
        try:
            connection.request(method, base + path, body, headers)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()
    connection.close()
    if forward:
        tunnel(host, proxy)
        tunnel(f"{REFUSED}:443", proxy)
    garbage(proxy)
    time.sleep(0.5)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def user_line(user, password):
    """A line of a file of users, as htpasswd writes them."""
    hashed = subprocess.check_output(["openssl", "passwd", "-apr1", password], text=True)
    return f"{user}:{hashed}"


def send_with_login():
    """Sends requests that the proxy asks to log in for: without a login, with a wrong and with the
    right one."""
    for secret in [None, "wrong", PASSWORD]:
        headers = {"User-Agent": "golden"}
        if secret:
            headers["Proxy-Authorization"] = basic(USER, secret)
        connection = http.client.HTTPConnection("127.0.0.1", PROXY, timeout=5)
        for method, path, body in [("GET", "/plain", None), ("POST", "/upload", BODY)]:
            connection.request(method, f"http://localhost:{ORIGIN}{path}", body, headers)
            connection.getresponse().read()
        connection.close()
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        tunnel(f"localhost:{ORIGIN}", headers=lines)
    time.sleep(0.5)


def tunnel(target, proxy="127.0.0.1", headers=""):
    with socket.create_connection((proxy, PROXY), timeout=5) as raw:
        raw.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{headers}\r\n".encode())
        if b" 200" in raw.recv(4096).split(b"\r\n")[0]:
            request = b"PUT /in/tunnel HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n"
            raw.sendall(request + b"Connection: close\r\n\r\n" + BODY)
            while raw.recv(65536):
                pass


def tls(name, proxy="127.0.0.1", target=None, client=None):
    """An upload over TLS to this server name, inside a tunnel if there is a target for one."""
    source = (client, 0) if client else None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((proxy, PROXY), timeout=5, source_address=source) as raw:
        try:
            if target:
                raw.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
                if b" 200" not in raw.recv(4096).split(b"\r\n")[0]:
                    return
            with context.wrap_socket(raw, server_hostname=name) as inner:
                head = f"PUT /in/tls HTTP/1.1\r\nHost: {name}\r\nContent-Length: 5000\r\n"
                inner.sendall(f"{head}Connection: close\r\n\r\n".encode() + BODY)
                while inner.recv(65536):
                    pass
        except OSError:
            pass


def send_tls(proxy="127.0.0.1", client=None):
    """Sends connections that are to be passed on by their TLS server name, or refused by it."""
    tls(NAME, proxy, client=client)
    tls(REFUSED, proxy, client=client)
    garbage(proxy)
    time.sleep(0.5)


def send_in_tunnels():
    """Sends tunnels with TLS inside: with the name asked for, with another, with one that is
    refused, to a host that is refused, to a port where nobody listens; without TLS; with nothing.
    """
    tls(NAME, target=f"{NAME}:{TLS_ORIGIN}")
    tls(NAME, target=f"{OTHER}:{TLS_ORIGIN}")
    tls(REFUSED, target=f"{NAME}:{TLS_ORIGIN}")
    tls(REFUSED, target=f"{REFUSED}:443")
    tls(NAME, target=f"{NAME}:1")
    tunnel(f"{NAME}:{ORIGIN}")
    with socket.create_connection(("127.0.0.1", PROXY), timeout=5) as raw:
        raw.sendall(f"CONNECT {SILENT}:{TLS_ORIGIN} HTTP/1.1\r\n\r\n".encode())
        raw.recv(4096)
    tls(NAME, target=f"127.0.0.1:{TLS_ORIGIN}")
    time.sleep(1)


def garbage(proxy="127.0.0.1"):
    with socket.create_connection((proxy, PROXY), timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01\x00\x05hello\r\n\r\n")
        try:
            raw.recv(4096)
        except OSError:
            pass
