"""The proxy's own configuration, in a real HAProxy: slow and stalled clients cost the API nothing."""

from __future__ import annotations

import datetime as dt
import http.client
import http.server
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CHECKOUT = Path(__file__).parents[2]
HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
STALLED_CLIENTS = 200
PATIENCE_SECONDS = 10  # "timeout http-request" of the configuration

pytestmark = [
    pytest.mark.skipif(not Path(HAPROXY).is_file(), reason="HAProxy is not installed on this machine"),
    pytest.mark.slow,
]


def make_certificate(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    key_text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key_text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Proxy:
    """A running proxy in front of an API that only counts."""

    tls_port: int
    plain_port: int
    log: Path
    asked: list[str] = field(default_factory=list)

    def connect(self, source: str = "127.0.0.1") -> ssl.SSLSocket:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.tls_port), timeout=20, source_address=(source, 0))
        try:
            return context.wrap_socket(plain)
        except OSError:
            plain.close()
            raise

    def ask(self, request: bytes, source: str = "127.0.0.1") -> bytes:
        """The whole answer to a request."""
        with self.connect(source) as connection:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            answer.read()
            return str(answer.status).encode()

    def has_logged(self, line: str) -> bool:
        """Whether the line is in the log, which the proxy writes after it has answered."""
        for _ in range(100):
            if line in self.log.read_text():
                return True
            time.sleep(0.05)
        return False


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    make_certificate(folder / "tls.pem")
    running = Proxy(free_port(), free_port(), folder / "log")

    class Api(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.headers.get("Upgrade") == "websocket":
                self.send_response(101)
                self.send_header("Connection", "Upgrade")
                self.send_header("Upgrade", "websocket")
                self.send_header("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")  # of RFC 6455's own example
                self.end_headers()
                self.wfile.write(self.rfile.read(5)[::-1])
                self.close_connection = True
                return
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path != "/health":
                running.asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 (the library's name)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's signature)
            pass

    api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    text = (CHECKOUT / "deploy" / "haproxy.cfg").read_text()
    for ours, here in (
        ("bind :8080", f"bind 127.0.0.1:{running.plain_port}"),
        ("bind :8443 ssl crt /run/secrets/tls", f"bind 127.0.0.1:{running.tls_port} ssl crt {folder / 'tls.pem'}"),
        ("server-template api 1-16 api:8400", f"server api 127.0.0.1:{api.server_port}"),
        ("server-template socket 1-16 api:8400", f"server socket 127.0.0.1:{api.server_port}"),
        (" resolvers names init-addr none", ""),
    ):
        assert ours in text
        text = text.replace(ours, here)
    (folder / "haproxy.cfg").write_text(text)
    with running.log.open("wb") as log:
        haproxy = subprocess.Popen([HAPROXY, "-db", "-f", folder / "haproxy.cfg"], stdout=log, stderr=log)
    try:
        wait_until_it_listens(running, haproxy)
        yield running
    finally:
        haproxy.terminate()
        haproxy.wait(10)
        api.shutdown()
        api.server_close()


def wait_until_it_listens(proxy: Proxy, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        assert process.poll() is None, proxy.log.read_text()
        try:
            if proxy.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == b"200":
                return
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail(proxy.log.read_text())


def test_the_committed_configuration_is_valid(tmp_path: Path) -> None:
    make_certificate(tmp_path / "tls.pem")
    text = (CHECKOUT / "deploy" / "haproxy.cfg").read_text().replace("/run/secrets/tls", str(tmp_path / "tls.pem"))
    (tmp_path / "haproxy.cfg").write_text(text)
    done = subprocess.run([HAPROXY, "-c", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr.upper()


def test_others_are_served_while_200_clients_stall_and_the_api_never_sees_those(proxy: Proxy) -> None:
    proxy.asked.clear()
    with ExitStack() as stack:
        stalled = []
        for number in range(STALLED_CLIENTS):
            connection = stack.enter_context(proxy.connect(f"127.0.0.{2 + number // 50}"))
            connection.sendall(b"POST /stalled HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nslow")
            stalled.append(connection)
        began = time.monotonic()
        for _ in range(20):
            assert proxy.ask(b"GET /served HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == b"200"
        assert time.monotonic() - began < PATIENCE_SECONDS / 2
        assert set(proxy.asked) == {"/served"}
        assert b" 408 " in stalled[-1].recv(100)  # "Request Time-out"
        assert time.monotonic() - began > PATIENCE_SECONDS / 2
        assert set(proxy.asked) == {"/served"}


def test_one_address_cannot_take_all_connections(proxy: Proxy) -> None:
    held = 0
    with ExitStack() as stack:
        with pytest.raises((ConnectionError, ssl.SSLError)):  # noqa: PT012 (somewhere on the way to the 80th)
            while held < 80:
                stack.enter_context(proxy.connect("127.0.0.9"))
                held += 1
        assert held == 64
        assert proxy.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "127.0.0.10") == b"200"


def test_a_socket_passes_both_ways(proxy: Proxy) -> None:
    with proxy.connect("127.0.0.12") as connection:
        connection.sendall(
            b"GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        told = b""
        while b"\r\n\r\n" not in told:
            told += connection.recv(1000)
        assert told.startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"hello")
        while not told.endswith(b"olleh"):
            more = connection.recv(1000)
            assert more, told
            told += more


def test_a_request_of_more_than_a_megabyte_is_refused(proxy: Proxy) -> None:
    request = b"POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 1100000\r\n\r\n" + b"x" * 20_000
    with suppress(ConnectionError):  # the answer may be lost where bytes are still on their way
        assert proxy.ask(request, "127.0.0.11") == b"413"
    assert "/big" not in proxy.asked
    assert proxy.has_logged("\n413 ")


def test_plain_http_leads_to_tls(proxy: Proxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.plain_port, timeout=10)
    connection.request("GET", "/graphql", headers={"Host": "example.org"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, "https://example.org/graphql")
    connection.close()


def test_the_log_holds_no_path_and_no_address(proxy: Proxy) -> None:
    proxy.ask(b"GET /canary-path?canary=1 HTTP/1.1\r\nHost: canary-host\r\nConnection: close\r\n\r\n")
    assert proxy.has_logged("200")
    log = proxy.log.read_text()
    assert "canary" not in log
    assert "127.0.0.1" not in "\n".join(line for line in log.splitlines() if " ms " in line)
