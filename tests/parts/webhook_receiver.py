"""Receives webhooks, checks each with the published `standardwebhooks` package, and writes one
JSON line for each to standard output: {"received_at", "id", "verified", "body"}.

Usage: webhook_receiver.py ADDRESS PORT SECRET
"""

import http.server
import json
import sys
import time

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

address, port, secret = sys.argv[1:]
webhook = Webhook(secret)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        received_at = time.time()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            webhook.verify(body, headers)
            verified = True
        except WebhookVerificationError as error:
            verified = str(error)
        line = {
            "received_at": received_at,
            "id": headers.get("webhook-id"),
            "verified": verified,
            "body": json.loads(body),
        }
        print(json.dumps(line), flush=True)
        self.send_response(204 if verified is True else 401)
        self.end_headers()


server = http.server.ThreadingHTTPServer((address, int(port)), Handler)
print("listening", flush=True)
server.serve_forever()
