"""Squid: as a forward proxy, with logins, and looking into tunnels."""

from harness import DEPLOY, keep, running
from traffic import (
    NAME,
    ORIGIN_V6,
    OTHER,
    PASSWORD,
    PROXY,
    REFUSED,
    SILENT,
    USER,
    certificate,
    origin_v6,
    send,
    send_in_tunnels,
    send_with_login,
    tls_origin,
    user_line,
)


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
    (folder / "users").write_text(user_line(USER, PASSWORD))
    squid_configure(folder, f"""
http_port 127.0.0.1:{PROXY}
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/users
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all""")
    with running(squid_command(folder), wait=3):
        send_with_login()
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
