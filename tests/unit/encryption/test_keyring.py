"""Keyrings: they wrap data keys, keep old wrapping keys readable, and never say what they hold."""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.keyring import KeyringUnusable, WrappedKey
from referralnet.encryption.keyring_file import KeyringFile, write_new
from referralnet.encryption.sealing import DataKey, SealBroken

CANARY = base64.b64encode(b"CANARY" + bytes(26)).decode()


def new_data_key() -> DataKey:
    return DataKey(uuid4(), secrets.token_bytes(32))


def test_a_ring_reads_back_what_it_dumped() -> None:
    ring = HeldKeyring.generate()
    assert HeldKeyring.parse(ring.dump()) == ring


async def test_a_wrapped_key_unwraps_and_shows_nothing_of_itself() -> None:
    ring, key = HeldKeyring.generate(), new_data_key()
    wrapped = await ring.wrap(key)
    assert key.material not in wrapped.ciphertext
    assert await ring.unwrap(key.id, wrapped) == key


@pytest.mark.rule("P4")
async def test_after_rotation_new_keys_take_the_new_wrapping_key_and_old_ones_still_open() -> None:
    first = HeldKeyring.generate("2025")
    old = new_data_key()
    old_wrapped = await first.wrap(old)
    second = first.with_new_key("2026")
    new = new_data_key()
    new_wrapped = await second.wrap(new)
    assert (old_wrapped.wrapping_key_id, new_wrapped.wrapping_key_id) == ("2025", "2026")
    assert await second.unwrap(old.id, old_wrapped) == old
    assert await second.unwrap(new.id, new_wrapped) == new
    with pytest.raises(KeyringUnusable, match="'2026' is not on the keyring"):
        await first.unwrap(new.id, new_wrapped)


def test_rotation_leaves_look_ups_and_derived_keys_as_they_were() -> None:
    ring = HeldKeyring.generate()
    assert ring.with_new_key("2").derive("lookup:phone") == ring.derive("lookup:phone")


@pytest.mark.rule("P4")
async def test_a_wrapped_key_given_to_another_row_stays_shut() -> None:
    ring = HeldKeyring.generate()
    with pytest.raises(SealBroken):
        await ring.unwrap(uuid4(), await ring.wrap(new_data_key()))


@given(data=st.data())
async def test_an_altered_wrapped_key_is_found(data: st.DataObject) -> None:
    ring, key = HeldKeyring.generate(), new_data_key()
    wrapped = await ring.wrap(key)
    altered = bytearray(wrapped.ciphertext)
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        await ring.unwrap(key.id, WrappedKey(wrapped.wrapping_key_id, bytes(altered)))


@pytest.mark.parametrize("kept_bytes", [0, 5, 12, 30])
async def test_a_wrapped_key_cut_short_is_found(kept_bytes: int) -> None:
    ring, key = HeldKeyring.generate(), new_data_key()
    wrapped = await ring.wrap(key)
    with pytest.raises(SealBroken):
        await ring.unwrap(key.id, WrappedKey(wrapped.wrapping_key_id, wrapped.ciphertext[:kept_bytes]))


def test_each_purpose_has_a_key_of_its_own() -> None:
    ring = HeldKeyring.generate()
    derived = [ring.derive(purpose) for purpose in ("totp", "lookup:phone", "lookup:login", "inbound")]
    assert len({key.material for key in derived}) == len({key.id for key in derived}) == 4
    assert HeldKeyring.generate().derive("totp").material != ring.derive("totp").material


def good() -> dict[str, Any]:
    return {"current": "1", "wrapping_keys": {"1": CANARY}, "root": CANARY}


@pytest.mark.parametrize(
    "text",
    [
        "",
        CANARY,
        f'{{"root": "{CANARY}"',
        json.dumps([CANARY]),
        json.dumps(CANARY),
        json.dumps({"root": CANARY}),
        json.dumps(good() | {"wrapping_keys": [CANARY]}),
        json.dumps(good() | {"wrapping_keys": {"1": [CANARY]}}),
        json.dumps(good() | {"wrapping_keys": {"1": CANARY[:-4]}}),
        json.dumps(good() | {"wrapping_keys": {"1": "*" + CANARY}}),
        json.dumps(good() | {"wrapping_keys": {"1": "é" + CANARY}}),
        json.dumps(good() | {"root": CANARY[8:]}),
        json.dumps(good() | {"root": None}),
        json.dumps(good() | {"current": "2"}),
        json.dumps(good() | {"current": [CANARY]}),
        "[" * 100_000 + CANARY,
    ],
)
def test_a_broken_keyring_is_refused_without_a_word_of_what_it_holds(text: str) -> None:
    with pytest.raises(KeyringUnusable) as caught:
        HeldKeyring.parse(text)
    assert "CANARY" not in str(caught.value)
    assert CANARY[:12] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_no_key_shows_in_a_representation() -> None:
    ring = HeldKeyring.parse(json.dumps(good()))
    assert "CANARY" not in repr(ring)
    assert CANARY[:12] not in repr(ring)


@pytest.mark.rule("P4")
def test_the_file_is_for_its_owner_alone_and_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keyring.json"
    ring = KeyringFile.open_or_create(path).held
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyringFile.open_or_create(path).held == ring
    assert [found.name for found in path.parent.iterdir()] == ["keyring.json"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{}"])
def test_a_file_that_is_no_keyring_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keyring.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyringUnusable, match="not a keyring"):
        KeyringFile(path)
    assert path.read_bytes() == content


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(KeyringUnusable, match=r"keyring.json cannot be read: No such file"):
        KeyringFile(tmp_path / "keyring.json")


@pytest.mark.rule("P4")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o444])
def test_a_file_that_others_may_read_or_change_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keyring.json"
    write_new(path, HeldKeyring.generate())
    path.chmod(mode)
    with pytest.raises(KeyringUnusable, match=rf"mode {mode:04o}\): `chmod 600 {path}`.*keyring rotate"):
        KeyringFile(path)


@pytest.mark.rule("P4")
def test_a_file_of_another_account_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keyring.json"
    write_new(path, HeldKeyring.generate())
    real = os.fstat

    def of_another(handle: int) -> os.stat_result:
        fields = list(real(handle))
        fields[stat.ST_UID] = os.geteuid() + 1
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", of_another)
    with pytest.raises(KeyringUnusable, match=rf"belongs to the account {os.geteuid() + 1}.*`chown {os.geteuid()} "):
        KeyringFile(path)


@pytest.mark.parametrize(("mode", "accepted"), [(0o400, True), (0o440, True), (0o444, False), (0o460, False)])
def test_a_mounted_secret_of_roots_may_be_read_by_our_group_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, accepted: bool
) -> None:
    path = tmp_path / "keyring.json"
    write_new(path, HeldKeyring.generate())
    real = os.fstat

    def mounted(handle: int) -> os.stat_result:
        fields = list(real(handle))
        fields[stat.ST_UID], fields[stat.ST_MODE] = 0, stat.S_IFREG | mode
        return os.stat_result(fields)

    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    monkeypatch.setattr(os, "fstat", mounted)
    if accepted:
        KeyringFile(path)
    else:
        with pytest.raises(KeyringUnusable, match="can be read or changed by others"):
            KeyringFile(path)


@pytest.mark.rule("P4")
async def test_a_running_process_takes_the_new_key_and_opens_what_others_wrapped_with_it(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    write_new(path, HeldKeyring.generate("1"))
    reader, writer, operator = KeyringFile(path), KeyringFile(path), KeyringFile(path)
    old, new = new_data_key(), new_data_key()
    old_wrapped = await writer.wrap(old)
    operator.change(lambda ring: ring.with_new_key("2"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    new_wrapped = await writer.wrap(new)
    assert (old_wrapped.wrapping_key_id, new_wrapped.wrapping_key_id, reader.current_key_id) == ("1", "2", "2")
    operator.change(lambda ring: ring.with_new_key("3"))
    newest = await operator.wrap(new)
    assert await reader.unwrap(new.id, newest) == new
    assert await reader.unwrap(new.id, new_wrapped) == new
    assert await reader.unwrap(old.id, old_wrapped) == old


async def test_a_ring_that_works_is_not_given_up_for_a_file_that_does_not(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    write_new(path, HeldKeyring.generate())
    ring, key = KeyringFile(path), new_data_key()
    path.write_text("half a rin")
    wrapped = await ring.wrap(key)
    path.unlink()
    assert await ring.unwrap(key.id, wrapped) == key
    with pytest.raises(KeyringUnusable, match="'later' is not on the keyring"):
        await ring.unwrap(key.id, WrappedKey("later", wrapped.ciphertext))


def _other_root(ring: HeldKeyring) -> HeldKeyring:
    return HeldKeyring(ring.current_key_id, ring.wrapping_keys, secrets.token_bytes(32))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda ring: ring.without_key("1"), "'1' is the key in use"),
        (lambda ring: ring.with_new_key("1"), "has a key '1' already"),
        (_other_root, "the root of a keyring stays"),
    ],
)
def test_a_change_that_would_lose_data_is_refused(
    tmp_path: Path, change: Callable[[HeldKeyring], HeldKeyring], said: str
) -> None:
    path = tmp_path / "keyring.json"
    write_new(path, HeldKeyring.generate("1"))
    before = path.read_text()
    with pytest.raises(KeyringUnusable, match=said):
        KeyringFile(path).change(change)
    assert path.read_text() == before
    assert [found.name for found in tmp_path.iterdir()] == ["keyring.json"]


def test_operators_who_change_the_ring_together_lose_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    write_new(path, HeldKeyring.generate("0"))
    threads = [
        threading.Thread(target=KeyringFile(path).change, args=[lambda ring, key=str(n): ring.with_new_key(key)])
        for n in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(KeyringFile(path).held.wrapping_keys) == {str(n) for n in range(9)}


def test_processes_that_start_together_share_one_keyring(tmp_path: Path) -> None:
    path, started, rings = tmp_path / "keyring.json", threading.Barrier(8), []

    def start() -> None:
        started.wait()
        rings.append(KeyringFile.open_or_create(path).held)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rings) == 8
    assert all(ring == rings[0] for ring in rings)
