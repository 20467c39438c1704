"""A web server: answers GET with a page and reads whatever is uploaded. HTTPS with a certificate.

Usage: web_server.py ADDRESS PORT [CERTIFICATE KEY]
"""

import http.server
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(b"<p>a page</p>" * 2000)

    def do_PUT(self):
        left = int(self.headers["Content-Length"])
        while left > 0:
            left -= len(self.rfile.read(min(left, 65536)))
        self.answer(b"thanks")

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


address, port, *certificate_and_key = sys.argv[1:]
server = http.server.ThreadingHTTPServer((address, int(port)), Handler)
if certificate_and_key:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate_and_key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening", flush=True)
server.serve_forever()
