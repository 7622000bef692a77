"""A web server on the loopback interface for the time of a context."""

import contextlib
import pathlib
import socket
import subprocess
import tempfile
import time

READY_SECONDS = 5
CONFIGURATION = """
daemon off;
user root;
worker_processes 1;
pid {work}/pid;
error_log {work}/error.log;
events {{ }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder};
    }}
}}
"""


@contextlib.contextmanager
def serve(path):
    """nginx with the folder of `path`; yields the URL of `path`."""
    with tempfile.TemporaryDirectory(prefix="v2p-bench-") as work:
        port = _free_port()
        configuration = pathlib.Path(work) / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(work=work, port=port, folder=path.parent))
        server = subprocess.Popen(["nginx", "-p", work, "-e", f"{work}/error.log", "-c",
                                   configuration], stdin=subprocess.DEVNULL)
        try:
            _wait_for(port, server)
            yield f"http://127.0.0.1:{port}/{path.name}"
        finally:
            server.terminate()
            server.wait()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port, server):
    deadline = time.monotonic() + READY_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("nginx does not serve on the loopback interface")
