"""Fixtures of the queue's tests, and a certificate for servers that speak TLS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backend.app.db.engine import Database
from backend.tests.queue_world import World


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """One database for all tests that clear it first: making one for each would take most of their time."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        file = tmp_path_factory.mktemp("shared") / "shared.db"
        shutil.copyfile(template, file)
        database = Database(f"sqlite:///{file}")
        yield database
        database.dispose()
        return
    with request.getfixturevalue("postgres_server").fresh() as url:
        database = Database(url)
        yield database
        database.dispose()


@pytest.fixture
def world(shared_database: Database) -> World:
    """An empty queue; each test that asks runs on both kinds of database."""
    made = World(shared_database)
    made.clear()
    return made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A key and a certificate of 127.0.0.1 that nobody has signed but itself."""
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    now, day = datetime.now(UTC), timedelta(days=1)
    made = made.not_valid_before(now - day).not_valid_after(now + day)
    address = x509.IPAddress(ip_address("127.0.0.1"))
    made = made.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    plain = serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return str(file)
