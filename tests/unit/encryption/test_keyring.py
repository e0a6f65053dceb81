"""The keyring: it wraps data keys, keeps old wrapping keys readable, and never says what it holds."""

from __future__ import annotations

import base64
import json
import secrets
import stat
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.encryption.keyring import Keyring, KeyringUnusable, WrappedKey
from referralnet.encryption.sealing import DataKey, SealBroken

CANARY = base64.b64encode(b"CANARY" + bytes(26)).decode()


def new_data_key() -> DataKey:
    return DataKey(uuid4(), secrets.token_bytes(32))


def rotated(ring: Keyring, key_id: str) -> Keyring:
    """The ring with one more wrapping key, from now on the one in use, as an operator edits the file."""
    document = json.loads(ring.dump())
    document["wrapping_keys"][key_id] = base64.b64encode(secrets.token_bytes(32)).decode()
    return Keyring.parse(json.dumps({**document, "current": key_id}))


def test_a_ring_reads_back_what_it_dumped() -> None:
    ring = Keyring.generate()
    assert Keyring.parse(ring.dump()) == ring


def test_a_wrapped_key_unwraps_and_shows_nothing_of_itself() -> None:
    ring, key = Keyring.generate(), new_data_key()
    wrapped = ring.wrap(key)
    assert key.material not in wrapped.ciphertext
    assert ring.unwrap(key.id, wrapped) == key


@pytest.mark.rule("P4")
def test_after_rotation_new_keys_take_the_new_wrapping_key_and_old_ones_still_open() -> None:
    first = Keyring.generate("2025")
    old = new_data_key()
    old_wrapped = first.wrap(old)
    second = rotated(first, "2026")
    new = new_data_key()
    new_wrapped = second.wrap(new)
    assert (old_wrapped.wrapping_key_id, new_wrapped.wrapping_key_id) == ("2025", "2026")
    assert second.unwrap(old.id, old_wrapped) == old
    assert second.unwrap(new.id, new_wrapped) == new
    with pytest.raises(KeyringUnusable, match="'2026' is not on the keyring"):
        first.unwrap(new.id, new_wrapped)


def test_rotation_leaves_look_ups_and_derived_keys_as_they_were() -> None:
    ring = Keyring.generate()
    assert rotated(ring, "2").derive("lookup:phone") == ring.derive("lookup:phone")


@pytest.mark.rule("P4")
def test_a_wrapped_key_given_to_another_row_stays_shut() -> None:
    ring = Keyring.generate()
    with pytest.raises(SealBroken):
        ring.unwrap(uuid4(), ring.wrap(new_data_key()))


@given(data=st.data())
def test_an_altered_wrapped_key_is_found(data: st.DataObject) -> None:
    ring, key = Keyring.generate(), new_data_key()
    wrapped = ring.wrap(key)
    altered = bytearray(wrapped.ciphertext)
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        ring.unwrap(key.id, WrappedKey(wrapped.wrapping_key_id, bytes(altered)))


@pytest.mark.parametrize("kept_bytes", [0, 5, 12, 30])
def test_a_wrapped_key_cut_short_is_found(kept_bytes: int) -> None:
    ring, key = Keyring.generate(), new_data_key()
    wrapped = ring.wrap(key)
    with pytest.raises(SealBroken):
        ring.unwrap(key.id, WrappedKey(wrapped.wrapping_key_id, wrapped.ciphertext[:kept_bytes]))


def test_each_purpose_has_a_key_of_its_own() -> None:
    ring = Keyring.generate()
    derived = [ring.derive(purpose) for purpose in ("totp", "lookup:phone", "lookup:login", "inbound")]
    assert len({key.material for key in derived}) == len({key.id for key in derived}) == 4
    assert Keyring.generate().derive("totp").material != ring.derive("totp").material


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
        Keyring.parse(text)
    assert "CANARY" not in str(caught.value)
    assert CANARY[:12] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_no_key_shows_in_a_representation() -> None:
    ring = Keyring.parse(json.dumps(good()))
    assert "CANARY" not in repr(ring)
    assert CANARY[:12] not in repr(ring)


@pytest.mark.rule("P4")
def test_the_file_is_for_its_owner_alone_and_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keyring.json"
    ring = Keyring.read_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Keyring.read_or_create(path) == ring
    assert [found.name for found in path.parent.iterdir()] == ["keyring.json"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{}"])
def test_a_file_that_is_no_keyring_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keyring.json"
    path.write_bytes(content)
    with pytest.raises(KeyringUnusable):
        Keyring.read_or_create(path)
    assert path.read_bytes() == content


def test_processes_that_start_together_share_one_keyring(tmp_path: Path) -> None:
    path, started, rings = tmp_path / "keyring.json", threading.Barrier(8), []

    def start() -> None:
        started.wait()
        rings.append(Keyring.read_or_create(path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rings) == 8
    assert all(ring == rings[0] for ring in rings)
