"""What may go wrong and is expected: named refusals with a stable code, rendered in one place by each surface."""

from __future__ import annotations

import inspect
from typing import ClassVar


class Refusal(Exception):
    """The request was refused."""

    code: ClassVar[str] = "REFUSED"
    audited: ClassVar[bool] = False
    """Whether the attempt itself is written to the trail, in a transaction of its own."""

    registry: ClassVar[dict[str, type[Refusal]]] = {}

    def __init__(self, *, field: str | None = None, detail: str | None = None) -> None:
        """
        Args:
            field: the input field at fault, as the caller spelled it, or None.
            detail: one more sentence of codes and bounds; never identity.
        """
        self.field = field
        self.detail = detail
        super().__init__(self.message)

    def __init_subclass__(cls) -> None:
        known = Refusal.registry.setdefault(cls.code, cls)
        if known is not cls and known.__qualname__ != cls.__qualname__:
            raise TypeError(f"{cls.__name__} and {known.__name__} share the code {cls.code}")

    @classmethod
    def sentence(cls) -> str:
        """The docstring's first paragraph: what is said each time."""
        return " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())

    @property
    def message(self) -> str:
        """The sentence, and the detail where there is one."""
        return f"{self.sentence()} {self.detail}" if self.detail else self.sentence()


class InvalidInput(Refusal):
    """A value is not acceptable."""

    code = "INVALID_INPUT"


class NotFound(Refusal):
    """There is no such thing, or none that you may see."""

    code = "NOT_FOUND"


class NotPermitted(Refusal):
    """Your role does not include this."""

    code = "NOT_PERMITTED"
    audited = True
