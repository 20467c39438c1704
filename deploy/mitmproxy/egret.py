"""mitmproxy: a log for Egret, one JSON object per request or connection that was passed through.

    mitmdump -s egret.py --set egret_log=/var/log/mitmproxy/egret.log

Follow it with [[collector.sources]] kind = "log", dialect = "mitmproxy". "up" is the request's
body; null where mitmproxy streamed it and did not count. Refused are requests that the block_list
option or an add-on took, which sets flow.metadata["blocklisted"].
"""

import json
import time

from mitmproxy import ctx


class Egret:
    def load(self, loader):
        loader.add_option("egret_log", str, "egret.log", "Where the log for Egret goes.")

    def running(self):
        self.log = open(ctx.options.egret_log, "a", buffering=1, encoding="utf-8")

    def done(self):
        if hasattr(self, "log"):
            self.log.close()

    def response(self, flow):
        self.write_http(flow)

    def error(self, flow):
        self.write_http(flow)

    def tcp_end(self, flow):
        self.write_tcp(flow)

    def tcp_error(self, flow):
        self.write_tcp(flow)

    def write_http(self, flow):
        request, response = flow.request, flow.response
        record = self.ends(flow)
        record |= {
            "took": time.time() - request.timestamp_start,
            "method": request.method,
            "scheme": request.scheme,
            "host": request.host,
            "port": request.port,
            "url": request.path,
            "up": length(request.raw_content),
            "user_agent": request.headers.get("user-agent"),
            "type": request.headers.get("content-type"),
            "status": response.status_code if response else None,
            "down": length(response.raw_content) if response else None,
        }
        if flow.metadata.get("proxyauth"):
            record["user"] = flow.metadata["proxyauth"][0]
        if flow.metadata.get("blocklisted"):
            record["decision"] = "refused"
        self.write(record)

    def write_tcp(self, flow):
        record = self.ends(flow)
        sent = [len(message.content) for message in flow.messages if message.from_client]
        came = [len(message.content) for message in flow.messages if not message.from_client]
        record |= {
            "took": time.time() - flow.timestamp_start,
            "host": flow.server_conn.address[0],
            "port": flow.server_conn.address[1],
            "up": sum(sent),
            "down": sum(came),
        }
        self.write(record)

    def ends(self, flow):
        client, server = flow.client_conn.peername, flow.server_conn.peername
        record = {
            "by": "mitmproxy",
            "time": time.time(),
            "client": client[0],
            "client_port": client[1],
            "sni": flow.client_conn.sni,
        }
        if server:
            record |= {"server": server[0], "server_port": server[1]}
        return record

    def write(self, record):
        self.log.write(json.dumps(record, separators=(",", ":")) + "\n")


def length(content):
    return None if content is None else len(content)


addons = [Egret()]
