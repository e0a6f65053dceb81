"""A proxy as networks have it: TLS outside, HTTP inside, a path of its own before ours, another host's name."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import httpx2
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette


def write_certificate(folder: Path) -> Path:
    """A certificate for this machine with its key, good for a day, to be trusted by whoever is told to."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "proxy.pem"
    file.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return file


@dataclass
class TlsProxy:
    """Takes `prefix` off and hands the rest to the application under a name from inside."""

    certificate: Path
    prefix: str
    application: Starlette | None = None
    base_url: str = ""
    answers: list[int] | None = None
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        server = web.Application()
        server.router.add_route("*", self.prefix + "/{path:.*}", self._hand_on)
        self._runner, self.answers = web.AppRunner(server), []
        await self._runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.base_url = f"https://localhost:{self._runner.addresses[0][1]}{self.prefix}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _hand_on(self, request: web.Request) -> web.Response:
        assert self.application is not None
        assert self.answers is not None
        inside = httpx2.ASGITransport(self.application)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        async with httpx2.AsyncClient(transport=inside, base_url="http://10.0.0.7:8400") as client:
            answer = await client.request(
                request.method,
                request.raw_path.removeprefix(self.prefix),
                content=await request.read(),
                headers=headers,
            )
        self.answers.append(answer.status_code)
        return web.Response(status=answer.status_code, body=answer.content)
