"""Servers that speak TLS, with real certificates of authorities made here.

Strategy: of the engines that tests run, only Debian's Redis 7.0 is built with TLS, alone and in a
cluster; what is in front of the server is the client library's affair, so that one is enough.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers.clusters import Cluster
from tests.servers.processes import HOST, Engine, Server


class Authority:
    """A certificate authority that signs certificates of servers on this machine."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        self._certificate = self._sign(
            self._name,
            self._key.public_key(),
            [(x509.BasicConstraints(ca=True, path_length=None), True), (usage, True)],
        )

    @property
    def pem(self) -> str:
        """What a client needs to trust this authority."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(
        self, address: str | None = HOST, *, expired: bool = False, password: bytes | None = None
    ) -> tuple[bytes, bytes]:
        """Return a certificate for `address`, and its key, which a password may protect.

        Without an address only its common name says whose it is.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
        names = [] if address is None else [x509.IPAddress(ipaddress.ip_address(address))]
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.SubjectAlternativeName(names), False)
        ]
        certificate = self._sign(
            name, key.public_key(), extensions if names else [], expired=expired
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password)
            if password
            else serialization.NoEncryption(),
        )
        return certificate.public_bytes(serialization.Encoding.PEM), private

    def issue_to_client(self, folder: Path, password: bytes | None = None) -> dict[str, str]:
        """Options of redis-py with a client's certificate and key, which go to `folder`."""
        names = ("ssl_certfile", "ssl_keyfile")
        options = {}
        for name, content in zip(names, self.issue(password=password), strict=True):
            path = folder / f"{name}.pem"
            path.write_bytes(content)
            options[name] = str(path)
        return options

    def serve(
        self, folder: Path, port: int, address: str | None = HOST, *, expired: bool = False
    ) -> tuple[str, ...]:
        """Command line of a server that also speaks TLS on `port`; its files go to `folder`.

        The certificate is for `address`; see `issue`.
        """
        certificate, private = self.issue(address, expired=expired)
        files = {
            "tls-cert-file": certificate,
            "tls-key-file": private,
            "tls-ca-cert-file": self.pem.encode(),
        }
        options = {"tls-port": str(port), "tls-auth-clients": "no"}
        for option, content in files.items():
            path = folder / f"{option}-{port}.pem"
            path.write_bytes(content)
            options[option] = str(path)
        return tuple(part for option, value in options.items() for part in (f"--{option}", value))

    def _sign(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey,
        extensions: Sequence[tuple[x509.ExtensionType, bool]],
        *,
        expired: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC) - timedelta(days=2 if expired else 0)
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(issuer_key, critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


@dataclass(frozen=True)
class TlsServer:
    """Where a server speaks TLS, and who signed its certificate."""

    endpoint: str
    authority: Authority
    plain: Server
    """The same server without TLS, to prepare things."""


@contextmanager
def tls_server(
    engine: Engine, folder: Path, address: str | None = HOST, *, expired: bool = False
) -> Iterator[TlsServer]:
    """A server whose certificate is for `address`; see `Authority.serve`."""
    authority, port = Authority("one"), _free_port()
    with Server(engine, *authority.serve(folder, port, address, expired=expired)) as server:
        yield TlsServer(f"{HOST}:{port}", authority, server)


@contextmanager
def tls_cluster(engine: Engine, folder: Path, address: str | None = HOST) -> Iterator[TlsServer]:
    """A cluster of them, which names its nodes by their TLS ports."""
    authority = Authority("one")
    cluster = Cluster(engine, "--tls-cluster", "yes")
    ports = [_free_port() for _ in cluster.nodes]
    for node, port in zip(cluster.nodes, ports, strict=True):
        bus = ("--cluster-port", str(node.port + 10000))
        node._args += (*authority.serve(folder, port, address), *bus)
    with cluster:
        yield TlsServer(f"{HOST}:{ports[0]}", authority, cluster.nodes[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
