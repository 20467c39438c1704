#!/usr/bin/env python3
"""Makes the golden log lines: starts each proxy on loopback with the format that Egret ships, sends
a fixed set of requests through it, and keeps what it logged.

    tests/golden/make.py [NAME...]      # the functions that PROXIES lists; default all

Needs Debian's nginx, libnginx-mod-stream, haproxy, apache2-bin, squid-openssl, mitmproxy, caddy and
rsyslog, and the Envoy that `deploy/setup.sh test` takes from PyPI. A log is kept in a folder named
DIALECT or DIALECT.VARIANT. What Egret reads from the lines is in expected.txt beside them;
`EGRET_UPDATE=1 cargo test -p egret-collector golden` writes it anew, to be read before it is
committed.
"""

import pathlib
import subprocess
import sys
import tempfile
import textwrap
import time

from harness import DEPLOY, HERE, keep, running
from squids import squid, squid_bump, squid_ipv6, squid_login
from traffic import (
    NAME,
    ORIGIN,
    ORIGIN_V6,
    PASSWORD,
    PROXY,
    REFUSED,
    TLS_ORIGIN,
    USER,
    origin,
    origin_v6,
    send,
    send_tls,
    send_with_login,
    tls_origin,
    user_line,
)

SYSLOG = 18514
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
    apache_configure(folder, f"""
<Proxy *>
    Require local
</Proxy>
<Proxy "http://localhost:{ORIGIN}/refused*">
    Require all denied
</Proxy>""")
    with running(apache_command(folder)):
        send(forward=True)
    keep("apache-egret", folder / "egret.log")
    keep("apache-combined", folder / "combined.log")


def apache_login(folder):
    (folder / "users").write_text(user_line(USER, PASSWORD))
    folder.chmod(0o755)
    apache_configure(folder, f"""
<Proxy *>
    AuthType Basic
    AuthName golden
    AuthUserFile {folder}/users
    Require valid-user
</Proxy>""")
    with running(apache_command(folder)):
        send_with_login()
    keep("apache-egret.login", folder / "egret.log")
    keep("apache-combined.login", folder / "combined.log")


def apache_configure(folder, rules):
    formats = (DEPLOY / "apache/egret.conf").read_text().replace("/var/log/apache2", str(folder))
    modules = "mpm_event authz_core authz_host authz_user authn_core authn_file auth_basic"
    modules += " proxy proxy_http proxy_connect"
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
{rules}
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog {folder}/combined.log combined
{formats}""")


def apache_command(folder):
    return ["apache2", "-X", "-f", f"{folder}/apache.conf"]


def mitmproxy(folder):
    with running(mitmproxy_command(folder, "block_list=/~u refused/403"), wait=40):
        send(forward=True)
    keep("mitmproxy", folder / "egret.log")


def mitmproxy_login(folder):
    with running(mitmproxy_command(folder, f"proxyauth={USER}:{PASSWORD}"), wait=40):
        send_with_login()
    keep("mitmproxy.login", folder / "egret.log")


def mitmproxy_command(folder, option):
    command = ["mitmdump", "-q", "-p", str(PROXY), "--listen-host", "127.0.0.1"]
    command += ["--set", f"confdir={folder}", "--set", f"egret_log={folder}/egret.log"]
    return [*command, "--set", option, "-s", str(DEPLOY / "mitmproxy/egret.py")]


def caddy(folder):
    shipped = (DEPLOY / "caddy/Caddyfile").read_text()
    shipped = shipped.replace(":3128", f"http://:{PROXY}").replace("/var/log/caddy", str(folder))
    site, log = shipped.rstrip().removesuffix("}").split("{", 1)
    (folder / "Caddyfile").write_text(f"""
{{
    admin off
    auto_https off
}}
{site}{{
{log}
    bind 127.0.0.1
    respond /refused 403
    reverse_proxy 127.0.0.1:{ORIGIN}
}}
""")
    command = ["env", f"XDG_CONFIG_HOME={folder}", f"XDG_DATA_HOME={folder}", "caddy", "run"]
    command += ["--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]
    with running(command, wait=10):
        send(forward=False)
    keep("caddy", folder / "egret.log")


def rsyslog(folder):
    """What haproxy logs, as rsyslog writes it into files: in its new form and in the old one."""
    (folder / "rsyslog.conf").write_text(f"""
global(workDirectory="{folder}")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{SYSLOG}")
action(type="omfile" file="{folder}/new.log" template="RSYSLOG_FileFormat")
action(type="omfile" file="{folder}/old.log" template="RSYSLOG_TraditionalFileFormat")
""")
    haproxy_http(folder, haproxy_shipped("http"), "127.0.0.1", f"127.0.0.1:{ORIGIN}")
    file = folder / "haproxy.cfg"
    file.write_text(file.read_text().replace("stdout format raw", f"127.0.0.1:{SYSLOG}"))
    command = ["rsyslogd", "-n", "-f", f"{folder}/rsyslog.conf", "-i", f"{folder}/rsyslog.pid"]
    relay = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(1)
    with running(haproxy_command(folder)):
        send(forward=False)
    relay.terminate()
    relay.wait(10)
    keep("haproxy-json.rsyslog", folder / "new.log")
    keep("haproxy-json.rsyslog-old", folder / "old.log")


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


PROXIES = [
    nginx,
    nginx_ipv6,
    nginx_stream,
    haproxy,
    haproxy_ipv6,
    haproxy_tcp,
    apache,
    apache_login,
    squid,
    squid_ipv6,
    squid_login,
    squid_bump,
    mitmproxy,
    mitmproxy_login,
    caddy,
    rsyslog,
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
