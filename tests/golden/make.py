#!/usr/bin/env python3
"""Makes the golden log lines: starts each proxy on loopback with the format that Egret ships, sends
a fixed set of requests through it, and keeps what it logged.

    tests/golden/make.py [NAME...]      # the functions that PROXIES lists; default all

Needs Debian's nginx, libnginx-mod-stream, haproxy, apache2-bin, squid-openssl and mitmproxy, and
the Envoy that `deploy/setup.sh test` takes from PyPI. A log is kept in a folder named DIALECT or
DIALECT.VARIANT. What Egret reads from the lines is in expected.txt beside them;
`EGRET_UPDATE=1 cargo test -p egret-collector golden` writes it anew, to be read before it is
committed.
"""

import contextlib
import pathlib
import socket
import subprocess
import sys
import tempfile
import textwrap
import time

from traffic import (
    NAME,
    ORIGIN,
    ORIGIN_V6,
    OTHER,
    PROXY,
    REFUSED,
    SILENT,
    TLS_ORIGIN,
    certificate,
    origin,
    origin_v6,
    send,
    send_in_tunnels,
    send_tls,
    send_with_login,
    tls_origin,
)

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent.parent / "deploy"
ENVOY = "type.googleapis.com/envoy.extensions.filters"


def nginx(folder):
    nginx_http(folder, "127.0.0.1", f"127.0.0.1:{ORIGIN}")
    with running(nginx_command(folder)):
        send(forward=False)
    keep("nginx-json", folder / "egret.log")
    keep("nginx-combined", folder / "combined.log")


def nginx_ipv6(folder):
    nginx_http(folder, "[::1]", f"[::1]:{ORIGIN_V6}")
    with origin_v6(), running(nginx_command(folder), address="::1"):
        send(forward=False, proxy="::1", host=f"[::1]:{ORIGIN_V6}")
    keep("nginx-json.ipv6", folder / "egret.log")
    keep("nginx-combined.ipv6", folder / "combined.log")


def nginx_http(folder, address, to):
    formats = (DEPLOY / "nginx/egret.conf").read_text().replace("/var/log/nginx", str(folder))
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
http {{
{formats}
    access_log {folder}/combined.log combined;
    server {{
        listen {address}:{PROXY};
        location /refused {{ deny all; }}
        location / {{ proxy_pass http://{to}; }}
    }}
}}""")


def nginx_command(folder):
    return ["nginx", "-c", f"{folder}/nginx.conf", "-p", str(folder)]


def nginx_stream(folder):
    shipped = (DEPLOY / "nginx/egret.conf").read_text().split("with ssl_preread on:\n")[1]
    format = "\n".join(line.removeprefix("#") for line in shipped.splitlines())
    (folder / "nginx.conf").write_text(f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
stream {{
{format}
    access_log {folder}/egret.log egret;
    map $ssl_preread_server_name $to {{ {NAME} 127.0.0.1:{TLS_ORIGIN}; }}
    server {{
        listen 127.0.0.1:{PROXY};
        listen [::1]:{PROXY};
        ssl_preread on;
        deny 127.0.0.9;
        proxy_pass $to;
    }}
}}""")
    with tls_origin(folder), running(nginx_command(folder)):
        send_tls()
        send_tls("::1")
        send_tls("127.0.0.1", client="127.0.0.9")
    keep("nginx-json.stream", folder / "egret.log")


def haproxy(folder):
    for name, logging in haproxy_loggings():
        haproxy_http(folder, logging, "127.0.0.1", f"127.0.0.1:{ORIGIN}")
        with running(haproxy_command(folder), folder / "log"):
            send(forward=False)
        keep(name, folder / "log", wanted=("{", "127.0.0.1:"))


def haproxy_ipv6(folder):
    for name, logging in haproxy_loggings():
        haproxy_http(folder, logging, "::1", f"::1:{ORIGIN_V6}")
        with origin_v6(), running(haproxy_command(folder), folder / "log", address="::1"):
            send(forward=False, proxy="::1", host=f"[::1]:{ORIGIN_V6}")
        keep(f"{name}.ipv6", folder / "log", wanted=("{", "::1:"))


def haproxy_tcp(folder):
    hello = "tcp-request content accept if { req.ssl_hello_type 1 }"
    plain = f"option tcplog\n    {hello}"
    for name, logging in [("haproxy-json.tcp", haproxy_shipped("tcp")), ("haproxy-tcp", plain)]:
        refusal = f"tcp-request content reject if {{ req.ssl_sni {REFUSED} }}\n    "
        haproxy_configure(folder, "tcp", f"""
    bind 127.0.0.1:{PROXY}
    bind ::1:{PROXY}
    tcp-request inspect-delay 1s
    {logging.replace(hello, refusal + hello)}
    tcp-request content reject
    default_backend out
backend out
    server {NAME} 127.0.0.1:{TLS_ORIGIN}
""")
        with tls_origin(folder), running(haproxy_command(folder), folder / "log"):
            send_tls()
            send_tls("::1")
        keep(name, folder / "log", wanted=("{", "127.0.0.1:", "::1:"))


def haproxy_loggings():
    return [("haproxy-json", haproxy_shipped("http")), ("haproxy-http", "option httplog")]


def haproxy_shipped(mode):
    """The lines that are shipped for frontends of this mode."""
    lines = (DEPLOY / "haproxy/egret.cfg").read_text().splitlines()
    prefix = {"http": "    ", "tcp": "#   "}[mode]
    title = f"# Frontends in mode {mode}"
    begin = next(number for number, line in enumerate(lines) if line.startswith(title))
    shipped = [line.removeprefix(prefix) for line in lines[begin:] if line.startswith(prefix)]
    return "\n    ".join(shipped)


def haproxy_http(folder, logging, address, to):
    haproxy_configure(folder, "http", f"""
    bind {address}:{PROXY}
    {logging}
    http-request deny if {{ path /refused }} || {{ url_end /refused }}
    default_backend out
backend out
    server origin {to}
""")


def haproxy_configure(folder, mode, frontend):
    (folder / "haproxy.cfg").write_text(f"""
global
    log stdout format raw local0
defaults
    mode {mode}
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend in
    log global{frontend}""")


def haproxy_command(folder):
    return ["haproxy", "-db", "-f", f"{folder}/haproxy.cfg"]


def apache(folder):
    formats = (DEPLOY / "apache/egret.conf").read_text().replace("/var/log/apache2", str(folder))
    modules = "mpm_event authz_core authz_host proxy proxy_http proxy_connect"
    folder_of_modules = "/usr/lib/apache2/modules"
    loads = "\n".join(
        f"LoadModule {name}_module {folder_of_modules}/mod_{name}.so" for name in modules.split()
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
    squid_configure(folder, f"""
http_port 127.0.0.1:{PROXY}
acl refused urlpath_regex ^/refused
acl elsewhere dstdomain {REFUSED}
http_access deny refused
http_access deny elsewhere
http_access allow localhost""")
    with running(squid_command(folder), wait=3):
        send(forward=True)
    squid_keep(folder)


def squid_ipv6(folder):
    squid_configure(folder, f"""
http_port [::1]:{PROXY}
acl refused urlpath_regex ^/refused
acl elsewhere dstdomain {REFUSED}
http_access deny refused
http_access deny elsewhere
http_access allow localhost""")
    with origin_v6(), running(squid_command(folder), wait=3, address="::1"):
        send(forward=True, proxy="::1", host=f"[::1]:{ORIGIN_V6}")
    squid_keep(folder, ".ipv6")


def squid_login(folder):
    user, password = "sandbox 7", "secret"
    hashed = subprocess.check_output(["openssl", "passwd", "-apr1", password], text=True)
    (folder / "users").write_text(f"{user}:{hashed}")
    squid_configure(folder, f"""
http_port 127.0.0.1:{PROXY}
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/users
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all""")
    with running(squid_command(folder), wait=3):
        send_with_login(user, password)
    squid_keep(folder, ".login")


def squid_bump(folder):
    """Looks at the server name in each tunnel, and refuses some by it."""
    names = f"127.0.0.1 {NAME} {OTHER} {SILENT}\n"
    (folder / "hosts").write_text(names)
    squid_configure(folder, f"""
http_port 127.0.0.1:{PROXY} ssl-bump generate-host-certificates=off \
    cert={certificate(folder)}
hosts_file {folder}/hosts
acl hello at_step SslBump1
acl refused ssl::server_name {REFUSED}
acl elsewhere dstdomain {REFUSED}
ssl_bump peek hello
ssl_bump terminate refused
ssl_bump splice all
on_unsupported_protocol tunnel all
http_access deny elsewhere
http_access allow localhost""")
    with tls_origin(folder), running(squid_command(folder), wait=3):
        send_in_tunnels()
    squid_keep(folder, ".bump")


def squid_configure(folder, rules):
    folder.chmod(0o777)
    formats = (DEPLOY / "squid/egret.conf").read_text().replace("/var/log/squid", str(folder))
    gh_aw = '%ts.%03tu %>a:%>p %{Host}>h %<a:%<p %rv %rm %>Hs %Ss:%Sh %ru "%{User-Agent}>h"'
    audit = (
        '{"_schema":"audit/v1","ts":%ts.%03tu,"client":"%>a","host":"%{Host}>h","dest":"%<a:%<p",'
        '"method":"%rm","status":%>Hs,"decision":"%Ss","url":"%ru"}'
    )
    (folder / "squid.conf").write_text(f"""
pid_filename {folder}/squid.pid
cache_log {folder}/cache.log
coredump_dir {folder}
shutdown_lifetime 1 seconds
pinger_enable off
{rules}
{formats}
logformat gh_aw {gh_aw}
logformat audit {audit}
access_log stdio:{folder}/native.log logformat=squid
access_log stdio:{folder}/combined.log logformat=combined
access_log stdio:{folder}/gh-aw.log logformat=gh_aw
access_log stdio:{folder}/audit.log logformat=audit
""")


def squid_command(folder):
    return ["squid", "-N", "-f", f"{folder}/squid.conf"]


def squid_keep(folder, variant=""):
    for name, file in [
        ("squid-egret", "egret"),
        ("squid-native", "native"),
        ("squid-combined", "combined"),
        ("gh-aw-firewall", "gh-aw"),
        ("gh-aw-firewall-audit", "audit"),
    ]:
        keep(name + variant, folder / f"{file}.log")


def mitmproxy(folder):
    command = ["mitmdump", "-q", "-p", str(PROXY), "--listen-host", "127.0.0.1"]
    command += ["--set", f"confdir={folder}", "--set", f"egret_log={folder}/egret.log"]
    command += ["--set", "block_list=/~u refused/403", "-s", str(DEPLOY / "mitmproxy/egret.py")]
    with running(command, wait=40):
        send(forward=True)
    keep("mitmproxy", folder / "egret.log")


def envoy(folder):
    """Goes by the hosts that it has routes for."""
    logs = envoy_shipped(folder) + envoy_file(folder / "text.log")
    envoy_configure(folder, ORIGIN, f"""
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": {ENVOY}.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: egress
          use_remote_address: true
          upgrade_configs: [{{upgrade_type: CONNECT}}]
          access_log:
{textwrap.indent(logs, " " * 10)}
          http_filters:
          - name: router
            typed_config: {{"@type": {ENVOY}.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: allowed
              domains: ["localhost:{ORIGIN}"]
              routes:
              - match: {{connect_matcher: {{}}}}
                route:
                  cluster: origin
                  upgrade_configs: [{{upgrade_type: CONNECT, connect_config: {{}}}}]
              - match: {{path: /refused}}
                direct_response: {{status: 403}}
              - match: {{prefix: /}}
                route: {{cluster: origin}}""")
    with running(envoy_command(folder), wait=10):
        send(forward=True)
    keep("envoy-json", folder / "egret.log")
    keep("envoy-text", folder / "text.log")


def envoy_tcp(folder):
    """Goes by the TLS server names that it has filter chains for."""
    envoy_configure(folder, TLS_ORIGIN, f"""
    listener_filters:
    - name: tls
      typed_config: {{"@type": {ENVOY}.listener.tls_inspector.v3.TlsInspector}}
    access_log:
{textwrap.indent(envoy_shipped(folder), " " * 4)}
    filter_chains:
    - filter_chain_match: {{server_names: [{NAME}]}}
      filters:
      - name: tcp
        typed_config:
          "@type": {ENVOY}.network.tcp_proxy.v3.TcpProxy
          stat_prefix: egress
          cluster: origin""")
    with tls_origin(folder), running(envoy_command(folder), wait=10):
        send_tls()
    keep("envoy-json.tcp", folder / "egret.log")


def envoy_configure(folder, to, listener):
    (folder / "envoy.yaml").write_text(f"""
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {PROXY}}}}}
{listener.removeprefix(chr(10))}
  clusters:
  - name: origin
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {to}}}}}}}
""")


def envoy_shipped(folder):
    return (DEPLOY / "envoy/access-log.yaml").read_text().replace("/var/log/envoy", str(folder))


def envoy_file(path):
    """Envoy's own format."""
    return f"""
- name: text
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: {path}
"""


def envoy_command(folder):
    program = HERE.parent.parent / "target/python/bin/envoy"
    arguments = ["--use-dynamic-base-id", "--concurrency", "1", "-c", f"{folder}/envoy.yaml"]
    return [str(program), *arguments]


class running:
    """A program, until the block ends."""

    def __init__(self, command, output=None, wait=2, address="127.0.0.1"):
        self.command, self.output, self.wait, self.address = command, output, wait, address

    def __enter__(self):
        out = open(self.output, "wb") if self.output else subprocess.DEVNULL
        self.process = subprocess.Popen(self.command, stdout=out, stderr=subprocess.DEVNULL)
        for _ in range(self.wait * 10):
            time.sleep(0.1)
            with contextlib.suppress(OSError), socket.create_connection((self.address, PROXY)):
                break
        return self

    def __exit__(self, *_):
        time.sleep(0.5)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def keep(name, log, wanted=("",)):
    """Keeps the lines of a log that begin with one of these."""
    lines = log.read_text(errors="surrogateescape").splitlines(keepends=True)
    lines = [line for line in lines if line.startswith(wanted)]
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "access.log").write_text("".join(lines), errors="surrogateescape")
    print(f"{name}: {len(lines)} lines")


PROXIES = [
    nginx,
    nginx_ipv6,
    nginx_stream,
    haproxy,
    haproxy_ipv6,
    haproxy_tcp,
    apache,
    squid,
    squid_ipv6,
    squid_login,
    squid_bump,
    mitmproxy,
    envoy,
    envoy_tcp,
]


def main():
    proxies = {proxy.__name__: proxy for proxy in PROXIES}
    for name in sys.argv[1:] or proxies:
        with tempfile.TemporaryDirectory() as folder, origin():
            proxies[name](pathlib.Path(folder))


if __name__ == "__main__":
    main()
