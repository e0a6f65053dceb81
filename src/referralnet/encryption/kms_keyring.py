"""A keyring whose wrapping key never leaves AWS KMS; the network's root is kept wrapped by it (the extra `kms`)."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from referralnet.encryption.keyring import KEY_BYTES, KeyringUnusable, WrappedKey, derive_from
from referralnet.encryption.sealing import DataKey, SealBroken

_CONTEXT = "referralnet"
_ROOT = "root"
_ANSWER_SECONDS_MAX = 2
# Fetched again before it is dropped, so that under load no request waits for it.
_AHEAD = 0.8


class Kms(Protocol):
    """What is asked of boto3's client; another service can stand behind it."""

    def describe_key(self, **parameters: Any) -> dict[str, Any]: ...
    def encrypt(self, **parameters: Any) -> dict[str, Any]: ...
    def decrypt(self, **parameters: Any) -> dict[str, Any]: ...


class KmsKeyring:
    """Wraps and opens by asking the service, in threads; holds the root for a bounded time and no wrapping key ever."""

    def __init__(
        self,
        kms: Kms,
        key: str,
        wrapped_root: bytes,
        *,
        root_seconds_max: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            kms: the service.
            key: the key's id, ARN or alias: new data keys are wrapped with it.
            wrapped_root: what `wrap_new_root` made.
            root_seconds_max: how long the root may stay in memory before the service is asked again.
            monotonic: seconds of a clock that only goes forward.

        Raises:
            KeyringUnusable: the service does not answer, or does not let us use the key.
        """
        self._kms, self._wrapped_root = kms, wrapped_root
        self._root_seconds_max, self._monotonic = root_seconds_max, monotonic
        self._held: tuple[bytes, float] | None = None
        self._fetching = threading.Lock()
        self.current_key_id = str(_ask(kms.describe_key, KeyId=key)["KeyMetadata"]["Arn"])
        """The key's ARN, under which what it wrapped is stored."""
        self._fetch_root()

    async def wrap(self, key: DataKey) -> WrappedKey:
        """See Keyring."""
        answer = await asyncio.to_thread(
            _ask, self._kms.encrypt,
            KeyId=self.current_key_id, Plaintext=key.material, EncryptionContext={_CONTEXT: str(key.id)},
        )  # fmt: skip
        return WrappedKey(self.current_key_id, answer["CiphertextBlob"])

    async def unwrap(self, key_id: UUID, wrapped: WrappedKey) -> DataKey:
        """See Keyring. Nothing opened is kept: what is destroyed in the database is gone from here as well."""
        answer = await asyncio.to_thread(
            _ask, self._kms.decrypt,
            KeyId=wrapped.wrapping_key_id, CiphertextBlob=wrapped.ciphertext, EncryptionContext={_CONTEXT: str(key_id)},
        )  # fmt: skip
        return DataKey(key_id, answer["Plaintext"])

    def derive(self, purpose: str) -> DataKey:
        """See Keyring. Waits for the service only where the root was dropped, two seconds at most."""
        held, now = self._held, self._monotonic()
        if held is None or now >= held[1]:
            held = self._fetch_root()
        elif now >= held[1] - self._root_seconds_max * (1 - _AHEAD) and not self._fetching.locked():
            threading.Thread(target=self._fetch_ahead, daemon=True).start()
        return derive_from(held[0], purpose)

    def _fetch_root(self) -> tuple[bytes, float]:
        with self._fetching:
            root = open_root(self._kms, self._wrapped_root)
            self._held = held = (root, self._monotonic() + self._root_seconds_max)
        dropping = threading.Timer(self._root_seconds_max, self._drop, [held])
        dropping.daemon = True
        dropping.start()
        return held

    def _fetch_ahead(self) -> None:
        try:
            self._fetch_root()
        except KeyringUnusable:
            return  # what is held serves until its time; whoever asks then is told

    def _drop(self, held: tuple[bytes, float]) -> None:
        if self._held is held:
            self._held = None


def wrap_new_root(kms: Kms, key: str) -> str:
    """A new root for the network's own keys, wrapped: the text of the root file, no secret without the service."""
    return _dump_root(kms, key, secrets.token_bytes(KEY_BYTES))


def rewrap_root(kms: Kms, key: str, text: str) -> str:
    """The same root wrapped by `key`, so that an older key of the service can go."""
    return _dump_root(kms, key, open_root(kms, parse_root(text)))


def parse_root(text: str) -> bytes:
    """The wrapped root of a root file.

    Raises:
        KeyringUnusable: it is no such file.
    """
    try:
        return base64.b64decode(json.loads(text)["wrapped_root"], validate=True)
    except (ValueError, KeyError, TypeError):
        raise KeyringUnusable("not a wrapped root: want JSON with wrapped_root") from None


def read_root(path: Path) -> bytes:
    """The wrapped root of the file at `path`.

    Raises:
        KeyringUnusable: it cannot be read, or is no such file.
    """
    try:
        return parse_root(path.read_text("utf-8"))
    except OSError as error:
        raise KeyringUnusable(
            f"{path} cannot be read ({error.strerror}): `referralnet keyring create` makes it"
        ) from None


def open_root(kms: Kms, wrapped: bytes) -> bytes:
    """Ask the service for the root."""
    return bytes(_ask(kms.decrypt, CiphertextBlob=wrapped, EncryptionContext={_CONTEXT: _ROOT})["Plaintext"])


def connect(endpoint_url: str | None = None) -> Kms:
    """AWS KMS, with the region and the credentials that AWS's own settings give.

    Raises:
        KeyringUnusable: the extra `kms` is not installed, or no region is set.
    """
    try:
        import boto3  # noqa: PLC0415 (an extra, and half a second)
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError:
        raise KeyringUnusable("AWS KMS wants boto3: install `referralnet[kms]`") from None
    patience = Config(
        connect_timeout=_ANSWER_SECONDS_MAX, read_timeout=_ANSWER_SECONDS_MAX, retries={"total_max_attempts": 2}
    )
    try:
        client: Kms = boto3.client("kms", endpoint_url=endpoint_url, config=patience)
    except BotoCoreError as error:
        raise KeyringUnusable(f"AWS KMS: {error}") from None
    return client


def _dump_root(kms: Kms, key: str, root: bytes) -> str:
    answer = _ask(kms.encrypt, KeyId=key, Plaintext=root, EncryptionContext={_CONTEXT: _ROOT})
    return json.dumps({"wrapped_root": base64.b64encode(answer["CiphertextBlob"]).decode()}, indent=2)


def _ask(call: Callable[..., dict[str, Any]], **parameters: Any) -> dict[str, Any]:
    """One call of the service; its faults by our names."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (an extra)

    try:
        return call(**parameters)
    except ClientError as refused:
        code = refused.response["Error"]["Code"]
        if code == "InvalidCiphertextException":
            raise SealBroken("the service cannot open this key: altered, or of another id") from None
        raise KeyringUnusable(f"AWS KMS refuses: {code}") from None
    except BotoCoreError as error:
        raise KeyringUnusable(f"AWS KMS does not answer: {type(error).__name__}") from None
