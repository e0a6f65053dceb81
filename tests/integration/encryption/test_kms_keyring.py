"""A keyring at AWS KMS, against moto's KMS on this machine: the wrapping key never comes out of it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from referralnet.app import load_keyring
from referralnet.cli import app as cli
from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.data_keys import KeyPurpose, create_data_key, load_data_key
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.keyring import KeyringUnusable, WrappedKey
from referralnet.encryption.kms_keyring import KmsKeyring, connect, parse_root, wrap_new_root
from referralnet.encryption.lookup import lookup_hash
from referralnet.encryption.sealing import DataKey, SealBroken
from referralnet.settings import Settings
from tests.factories.identity import make_agency, make_member


class CountedKms:
    """The service, with every call counted, and out of reach when `cut`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[str] = []
        self.cut = False

    def _call(self, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import EndpointConnectionError

        self.calls.append(name)
        if self.cut:
            raise EndpointConnectionError(endpoint_url="https://kms")
        answer: dict[str, Any] = getattr(self._client, name)(**parameters)
        return answer

    def describe_key(self, **parameters: Any) -> dict[str, Any]:
        return self._call("describe_key", parameters)

    def encrypt(self, **parameters: Any) -> dict[str, Any]:
        return self._call("encrypt", parameters)

    def decrypt(self, **parameters: Any) -> dict[str, Any]:
        return self._call("decrypt", parameters)


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountedKms]:
    for name, value in {"ACCESS_KEY_ID": "made", "SECRET_ACCESS_KEY": "up", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        yield CountedKms(connect())


def new_key(kms: CountedKms) -> str:
    return str(kms._client.create_key()["KeyMetadata"]["KeyId"])


def open_ring(
    kms: CountedKms, key: str, root: str, seconds: float = 900, monotonic: Any = time.monotonic
) -> KmsKeyring:
    return KmsKeyring(kms, key, parse_root(root), root_seconds_max=seconds, monotonic=monotonic)


@pytest.mark.rule("P4")
async def test_a_data_key_is_wrapped_by_the_service_and_opens_for_its_own_id_alone(kms: CountedKms) -> None:
    key_id = new_key(kms)
    ring, key = open_ring(kms, key_id, wrap_new_root(kms, key_id)), DataKey(uuid4(), b"k" * 32)
    wrapped = await ring.wrap(key)
    assert key.material not in wrapped.ciphertext
    assert wrapped.wrapping_key_id == ring.current_key_id
    assert wrapped.wrapping_key_id.endswith(f":key/{key_id}")
    assert await ring.unwrap(key.id, wrapped) == key
    with pytest.raises(SealBroken):
        await ring.unwrap(uuid4(), wrapped)
    with pytest.raises(SealBroken):
        await ring.unwrap(key.id, WrappedKey(wrapped.wrapping_key_id, wrapped.ciphertext[:-1] + b"x"))
    assert b"k" * 8 not in repr(ring).encode()


@pytest.mark.rule("P4")
async def test_data_keys_of_the_database_hang_on_the_service(
    owner: Database, app: Database, keyring: HeldKeyring, clock: FixedClock, kms: CountedKms
) -> None:
    made = await make_member(owner, keyring, await make_agency(owner))
    key_id = new_key(kms)
    ring = open_ring(kms, key_id, wrap_new_root(kms, key_id))
    async with app.transaction(made.actor) as session:
        key = await create_data_key(
            session, ring, agency_id=made.actor.agency_id, purpose=KeyPurpose.SURVIVOR, now=clock.now()
        )
        assert await load_data_key(session, ring, key.id) == key
        kms.cut = True
        with pytest.raises(KeyringUnusable, match="does not answer"):
            await load_data_key(session, ring, key.id)
        with pytest.raises(KeyringUnusable, match="not on the keyring"):
            await load_data_key(session, keyring, key.id)


def test_look_ups_ask_the_service_once_and_not_for_each(kms: CountedKms) -> None:
    key_id = new_key(kms)
    root = wrap_new_root(kms, key_id)
    ring, again = open_ring(kms, key_id, root), open_ring(kms, key_id, root)
    kms.calls.clear()
    hashes = {lookup_hash(ring, "phone", "+13125550142") for _ in range(1000)}
    assert kms.calls == []
    assert hashes == {lookup_hash(again, "phone", "+13125550142")}


@pytest.mark.rule("P4")
def test_the_root_is_dropped_from_memory_when_its_time_is_over(kms: CountedKms) -> None:
    key_id = new_key(kms)
    ring = open_ring(kms, key_id, wrap_new_root(kms, key_id), seconds=0.05)
    kms.cut = True
    give_up_at = time.monotonic() + 10
    while ring._held is not None and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert ring._held is None
    with pytest.raises(KeyringUnusable):
        ring.derive("totp")
    kms.cut = False
    assert len(ring.derive("totp").material) == 32


def test_shortly_before_its_time_the_root_is_fetched_again_behind_whoever_asks(kms: CountedKms) -> None:
    key_id, instant = new_key(kms), [0.0]
    ring = open_ring(kms, key_id, wrap_new_root(kms, key_id), seconds=100, monotonic=lambda: instant[0])
    kms.calls.clear()
    instant[0] = 85
    first = ring.derive("totp")
    give_up_at = time.monotonic() + 10
    while ring._held and ring._held[1] == 100 and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert kms.calls == ["decrypt"]
    kms.cut = True
    instant[0] = 150
    assert ring.derive("totp") == first


def test_the_root_moves_to_another_key_and_stays_the_same(
    kms: CountedKms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = new_key(kms), new_key(kms)
    path = tmp_path / "kms-root.json"
    monkeypatch.setenv("REFERRALNET_KMS_KEY", old)
    monkeypatch.setenv("REFERRALNET_KMS_ROOT_FILE", str(path))
    run = CliRunner().invoke
    created = run(cli, ["keyring", "create", str(path)])
    assert created.exit_code == 0, created.output
    before = load_keyring(Settings())
    monkeypatch.setenv("REFERRALNET_KMS_KEY", new)
    assert run(cli, ["keyring", "rotate"]).exit_code == 0
    kms._client.disable_key(KeyId=old)
    after = load_keyring(Settings())
    assert before.derive("totp") == after.derive("totp")
    assert after.current_key_id.endswith(f":key/{new}")
    assert before.current_key_id != after.current_key_id


def test_what_the_service_refuses_is_said_without_a_secret(kms: CountedKms) -> None:
    key_id = new_key(kms)
    root = wrap_new_root(kms, key_id)
    with pytest.raises(KeyringUnusable, match="AWS KMS refuses: NotFoundException"):
        open_ring(kms, str(uuid4()), root)
    with pytest.raises(KeyringUnusable, match="not a wrapped root"):
        parse_root(json.dumps({"root": 1}))


def test_a_service_out_of_reach_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "made", "SECRET_ACCESS_KEY": "up", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = connect(f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(KeyringUnusable, match="does not answer"):
            KmsKeyring(client, "any", b"", root_seconds_max=900)
    assert time.monotonic() - began < 8


def test_without_the_extra_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(KeyringUnusable, match=r"install `referralnet\[kms\]`"):
        connect()
    assert boto3 is not None
