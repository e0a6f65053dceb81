"""Refusals: a stable code each, a sentence for the person, the field at fault."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import referralnet
from referralnet.api.errors import Refused
from referralnet.errors import InvalidInput, NotFound, Refusal

AREAS = ("identity", "directory", "survivors", "consent", "messaging", "appointments", "referrals", "encryption")


def every_refusal() -> list[type[Refusal]]:
    for area in AREAS:
        package = importlib.import_module(f"{referralnet.__name__}.{area}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return sorted(Refusal.registry.values(), key=lambda refusal: refusal.code)


@pytest.mark.rule("P3")
@pytest.mark.parametrize("refusal", every_refusal(), ids=lambda refusal: refusal.code)
def test_every_refusal_has_a_code_of_its_own_and_a_sentence(refusal: type[Refusal]) -> None:
    assert "code" in vars(refusal)
    assert refusal.code.isupper()
    assert refusal.code.replace("_", "").isalnum()
    sentence = inspect.cleandoc(refusal.__doc__ or "").split("\n\n")[0]
    assert sentence[0].isupper()
    assert sentence.endswith(".")


def test_two_refusals_with_one_code_are_a_mistake_found_at_once() -> None:
    with pytest.raises(TypeError, match="share the code NOT_FOUND"):
        type("Lost", (Refusal,), {"code": "NOT_FOUND"})


def test_a_detail_follows_the_sentence() -> None:
    assert InvalidInput(field="first", detail="Ask for 1 to 100.").message == (
        "A value is not acceptable. Ask for 1 to 100."
    )
    assert str(NotFound()) == "There is no such thing, or none that you may see."


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("field", "shown"), [("idempotency_key", "idempotencyKey"), ("taskId", "taskId"), ("code", "code"), (None, None)]
)
def test_a_client_is_told_the_field_as_it_spelled_it(field: str | None, shown: str | None) -> None:
    refused = Refused.of(InvalidInput(field=field))
    assert (refused.code, refused.field) == ("INVALID_INPUT", shown)
