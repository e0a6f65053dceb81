"""docker-compose.yml as far as it can be checked without a Docker engine; the README says what has not been run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.embedded_account import ServerAccount
from referralnet.database.embedded_programs import find_programs
from referralnet.settings import Settings

CHECKOUT = Path(__file__).parents[2]
COMPOSE_FILE = CHECKOUT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def filled_in(value: str | None) -> str | None:
    """A value as Compose would make it, where every variable that must be given is "given"."""
    return None if value is None else re.sub(r"\$\{\w+:\?\}", "given", value)


def settings_of(service: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("REFERRALNET_")]:
        monkeypatch.delenv(name)
    for name, value in service["environment"].items():
        if (text := filled_in(value)) is not None:
            monkeypatch.setenv(name, text)
    return Settings()


def test_it_is_what_the_compose_specification_allows() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_there_is_a_service_for_each_part() -> None:
    assert set(COMPOSE["services"]) == {"postgres", "migrate", "operator", "api", "worker", "importer", "proxy"}
    assert set(OURS) == {"migrate", "operator", "api", "worker", "importer"}


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_and_fits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"REFERRALNET_{field.upper()}" for field in Settings.model_fields}
    assert set(OURS[name]["environment"]) - known == set()
    settings_of(OURS[name], monkeypatch)


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_the_programs(name: str) -> None:
    command = [sys.executable, "-m", "referralnet", *OURS[name]["command"], "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


@pytest.mark.rule("A2")
@pytest.mark.parametrize(
    ("name", "role"), [("migrate", "owner"), ("importer", "owner"), ("api", "app"), ("worker", "worker")]
)
def test_each_process_knows_one_role_alone(name: str, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(OURS[name], monkeypatch)
    urls = {"app": settings.database_url, "worker": settings.database_worker_url, "owner": settings.database_owner_url}
    known = {role: url.get_secret_value() for role, url in urls.items() if url is not None}
    assert known == {role: f"postgresql+asyncpg://referralnet_{role}:given@postgres/referralnet"}


def test_the_keyring_is_where_the_settings_say_and_not_with_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("api", "worker"):
        assert settings_of(OURS[name], monkeypatch).keyring_file == Path("/run/secrets/keyring")
        assert OURS[name]["secrets"] == ["keyring"]
    assert "secrets" not in COMPOSE["services"]["postgres"]
    assert "secrets" not in OURS["migrate"]


def test_the_database_is_out_of_reach_from_outside() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert COMPOSE["services"]["postgres"]["networks"] == ["inside"]
    assert [name for name, service in COMPOSE["services"].items() if "ports" in service] == ["proxy"]


def test_every_file_that_is_mounted_is_there() -> None:
    mounts = [volume for service in COMPOSE["services"].values() for volume in service.get("volumes", [])]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert files
    assert [file for file in files if not (CHECKOUT / file).is_file()] == []


def test_the_proxy_speaks_to_the_port_that_the_api_listens_on(monkeypatch: pytest.MonkeyPatch) -> None:
    port = settings_of(OURS["api"], monkeypatch).listen_port
    assert f" api:{port} check" in (CHECKOUT / "deploy" / "haproxy.cfg").read_text()


def test_the_image_installs_from_the_lock_with_hashes() -> None:
    steps = (CHECKOUT / "Dockerfile").read_text()
    assert "pip install --require-hashes --no-deps -r requirements.lock" in steps
    assert re.search(r"^USER 10001", steps, re.MULTILINE)


@pytest.fixture
def empty_server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="referralnet-compose-"))
    folder.chmod(0o711)
    with EmbeddedPostgres(folder / "pg", durable=False) as postgres:
        yield postgres
    shutil.rmtree(folder, ignore_errors=True)


async def test_the_preparation_makes_roles_with_passwords_and_the_database(empty_server: EmbeddedPostgres) -> None:
    async def ask(sql: str) -> Any:
        connection = await asyncpg.connect(host=str(empty_server.sockets), user="postgres", database="postgres")
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    for name in ("database referralnet", "role referralnet_owner", "role referralnet_app", "role referralnet_worker"):
        await ask(f"drop {name}")
    programs = find_programs(ServerAccount.choose(), major_version=None, copies=empty_server.slot)
    done = subprocess.run(  # noqa: ASYNC221
        ["sh", CHECKOUT / "deploy" / "prepare-database.sh"],
        env=os.environ
        | {"PATH": f"{programs.folder}:{os.environ['PATH']}", "PGHOST": str(empty_server.sockets)}
        | {"ROLES_FILE": str(CHECKOUT / "src" / "referralnet" / "database" / "roles.sql")}
        | {f"DATABASE_{role}_PASSWORD": f"it's {role}" for role in ("OWNER", "APP", "WORKER")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    with_password = "select count(*) from pg_authid where rolname like 'referralnet%' and rolpassword like 'SCRAM%'"
    assert await ask(with_password) == 3
    assert await ask("select pg_get_userbyid(datdba)::text from pg_database where datname = 'referralnet'") == (
        "referralnet_owner"
    )
