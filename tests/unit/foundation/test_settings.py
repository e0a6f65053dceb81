"""Settings: read from the environment, refused when wrong, and silent about secrets."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from referralnet.settings import Settings

CANARY = "CANARY-secret"
SECRETS = ("DATABASE_URL", "DATABASE_WORKER_URL", "DATABASE_OWNER_URL", "KEYRING", "TWILIO_AUTH_TOKEN")


@pytest.mark.rule("P2")
def test_without_a_word_it_is_production_with_introspection_off_and_cookies_over_tls_alone() -> None:
    settings = Settings()
    assert settings.environment == "production"
    assert settings.secure_cookies


@pytest.mark.rule("A6")
@pytest.mark.parametrize(("name", "value"), [("SESSION_HOURS_MAX", "13"), ("SESSION_IDLE_MINUTES", "61")])
def test_a_session_cannot_be_set_to_outlast_the_rule(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"REFERRALNET_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFERRALNET_LISTEN_PORT", "9000")
    assert Settings().listen_port == 9000


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_does_not_show(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"REFERRALNET_{name}", CANARY)
    settings = Settings()
    assert CANARY not in repr(settings) + str(settings.model_dump())
    assert getattr(settings, name.lower()).get_secret_value() == CANARY


def test_a_wrong_value_is_not_repeated_in_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFERRALNET_LISTEN_PORT", CANARY)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "listen_port" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
