"""A page of gauges held in a registry of prometheus_client and served over HTTP/1.1. Prints where it listens.

Not an exporter: the page is read from the file that is the only argument, one gauge a family.
"""

import gzip
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Gauge, generate_latest

LABEL = re.compile(r'(\w+)="([^"]*)"')

registry = CollectorRegistry()
gauges = {}
help_text = ""
with open(sys.argv[1], encoding="utf-8") as page:
    for line in page:
        if line.startswith("# HELP "):
            help_text = line.rstrip("\n").split(" ", 3)[3]
        if line.startswith("#"):
            continue
        series, value = line.rsplit(" ", 1)
        name = series.split("{", 1)[0]
        labels = dict(LABEL.findall(series))
        if name not in gauges:
            gauges[name] = Gauge(name, help_text, list(labels), registry=registry)
        gauges[name].labels(**labels).set(float(value))


class Metrics(BaseHTTPRequestHandler):
    # The library's own server closes the connection after each scrape.
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        text = generate_latest(registry)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            self.send_header("Content-Encoding", "gzip")
            text = gzip.compress(text)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
