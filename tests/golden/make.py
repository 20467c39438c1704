#!/usr/bin/env python3
"""Makes the golden log lines: starts each proxy on loopback with the format that Egret ships, sends
a fixed set of requests through it, and keeps what it logged.

    tests/golden/make.py [PROXY...]      # nginx haproxy apache squid mitmproxy; default all

Needs Debian's nginx-light, haproxy, apache2-bin, squid-openssl and mitmproxy. What Egret reads from
the lines is in expected.txt beside them; `EGRET_UPDATE=1 cargo test -p egret-collector golden`
writes it anew, to be read before it is committed.
"""

import http.client
import http.server
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent.parent / "deploy"
PROXY, ORIGIN = 18128, 18080
BODY = b"x" * 5000


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


def send(forward):
    """Sends the requests: as to a forward proxy, or as to a gateway that goes by Host."""
    connection = http.client.HTTPConnection("127.0.0.1", PROXY, timeout=5)
    base = f"http://localhost:{ORIGIN}" if forward else ""
    agent = {"User-Agent": 'golden "1"', "Host": f"localhost:{ORIGIN}"}
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
        tunnel(f"localhost:{ORIGIN}")
        tunnel("refused.example:443")
    garbage()
    time.sleep(0.5)


def tunnel(target):
    with socket.create_connection(("127.0.0.1", PROXY), timeout=5) as raw:
        raw.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        if b" 200" in raw.recv(4096).split(b"\r\n")[0]:
            request = b"PUT /in/tunnel HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n"
            raw.sendall(request + b"Connection: close\r\n\r\n" + BODY)
            while raw.recv(65536):
                pass


def garbage():
    with socket.create_connection(("127.0.0.1", PROXY), timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01\x00\x05hello\r\n\r\n")
        try:
            raw.recv(4096)
        except OSError:
            pass


def nginx(folder):
    formats = (DEPLOY / "nginx/egret.conf").read_text().replace("/var/log/nginx", str(folder))
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
http {{
{formats}
    access_log {folder}/combined.log combined;
    server {{
        listen 127.0.0.1:{PROXY};
        location /refused {{ deny all; }}
        location / {{ proxy_pass http://127.0.0.1:{ORIGIN}; }}
    }}
}}""")
    with running(["nginx", "-c", f"{folder}/nginx.conf", "-p", str(folder)]):
        send(forward=False)
    keep("nginx-json", folder / "egret.log")
    keep("nginx-combined", folder / "combined.log")


def haproxy(folder):
    lines = (DEPLOY / "haproxy/egret.cfg").read_text().splitlines()
    shipped = "\n".join(line for line in lines if line.startswith("    "))
    for name, logging in [("haproxy-json", shipped), ("haproxy-http", "    option httplog")]:
        (folder / "haproxy.cfg").write_text(f"""
global
    log stdout format raw local0
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend in
    bind 127.0.0.1:{PROXY}
    log global
{logging}
    http-request deny if {{ path /refused }} || {{ url_end /refused }}
    default_backend out
backend out
    server origin 127.0.0.1:{ORIGIN}
""")
        with running(["haproxy", "-db", "-f", f"{folder}/haproxy.cfg"], folder / f"{name}.log"):
            send(forward=False)
        text = (folder / f"{name}.log").read_text().splitlines()
        wanted = [line for line in text if line.startswith(("{", "127.0.0.1:"))]
        (folder / f"{name}.log").write_text("\n".join(wanted) + "\n")
        keep(name, folder / f"{name}.log")


def apache(folder):
    formats = (DEPLOY / "apache/egret.conf").read_text().replace("/var/log/apache2", str(folder))
    modules = "mpm_event authz_core authz_host proxy proxy_http proxy_connect"
    loads = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules.split()
    )
    (folder / "apache.conf").write_text(f"""
ServerName golden
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{PROXY}
{loads}
ProxyRequests On
AllowCONNECT {ORIGIN}
<Proxy *>
    Require local
</Proxy>
<Proxy "http://localhost:{ORIGIN}/refused*">
    Require all denied
</Proxy>
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog {folder}/combined.log combined
{formats}""")
    with running(["apache2", "-X", "-f", f"{folder}/apache.conf"]):
        send(forward=True)
    keep("apache-egret", folder / "egret.log")
    keep("apache-combined", folder / "combined.log")


def squid(folder):
    folder.chmod(0o777)
    formats = (DEPLOY / "squid/egret.conf").read_text().replace("/var/log/squid", str(folder))
    gh_aw = '%ts.%03tu %>a:%>p %{Host}>h %<a:%<p %rv %rm %>Hs %Ss:%Sh %ru "%{User-Agent}>h"'
    audit = (
        '{"_schema":"audit/v1","ts":%ts.%03tu,"client":"%>a","host":"%{Host}>h","dest":"%<a:%<p",'
        '"method":"%rm","status":%>Hs,"decision":"%Ss","url":"%ru"}'
    )
    (folder / "squid.conf").write_text(f"""
http_port 127.0.0.1:{PROXY}
pid_filename {folder}/squid.pid
cache_log {folder}/cache.log
coredump_dir {folder}
shutdown_lifetime 1 seconds
pinger_enable off
acl refused urlpath_regex ^/refused
acl elsewhere dstdomain refused.example
http_access deny refused
http_access deny elsewhere
http_access allow localhost
{formats}
logformat gh_aw {gh_aw}
logformat audit {audit}
access_log stdio:{folder}/native.log logformat=squid
access_log stdio:{folder}/combined.log logformat=combined
access_log stdio:{folder}/gh-aw.log logformat=gh_aw
access_log stdio:{folder}/audit.log logformat=audit
""")
    with running(["squid", "-N", "-f", f"{folder}/squid.conf"], wait=3):
        send(forward=True)
    for name, file in [
        ("squid-egret", "egret"),
        ("squid-native", "native"),
        ("squid-combined", "combined"),
        ("gh-aw-firewall", "gh-aw"),
        ("gh-aw-firewall-audit", "audit"),
    ]:
        keep(name, folder / f"{file}.log")


def mitmproxy(folder):
    command = ["mitmdump", "-q", "-p", str(PROXY), "--listen-host", "127.0.0.1"]
    command += ["--set", f"confdir={folder}", "--set", f"egret_log={folder}/egret.log"]
    command += ["--set", "block_list=/~u refused/403", "-s", str(DEPLOY / "mitmproxy/egret.py")]
    with running(command, wait=40):
        send(forward=True)
    keep("mitmproxy", folder / "egret.log")


class running:
    """A program, until the block ends."""

    def __init__(self, command, output=None, wait=2):
        self.command, self.output, self.wait = command, output, wait

    def __enter__(self):
        out = open(self.output, "wb") if self.output else subprocess.DEVNULL
        self.process = subprocess.Popen(self.command, stdout=out, stderr=subprocess.DEVNULL)
        for _ in range(self.wait * 10):
            time.sleep(0.1)
            with socket.socket() as probe:
                if self.process.poll() is None and probe.connect_ex(("127.0.0.1", PROXY)) == 0:
                    break
        return self

    def __exit__(self, *_):
        time.sleep(0.5)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def keep(name, log):
    lines = log.read_text(errors="surrogateescape")
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "access.log").write_text(lines, errors="surrogateescape")
    print(f"{name}: {len(lines.splitlines())} lines")


def main():
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", ORIGIN), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    proxies = {f.__name__: f for f in [nginx, haproxy, apache, squid, mitmproxy]}
    for name in sys.argv[1:] or proxies:
        with tempfile.TemporaryDirectory() as folder:
            proxies[name](pathlib.Path(folder))


if __name__ == "__main__":
    main()
