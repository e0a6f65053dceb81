"""What is arranged for a visit beside its time: codes alone, because the row is shared by two agencies (C5, D1).

There is no number, no link and no place here: who calls whom is a code, and the number is in the survivor's own record
or in the directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from referralnet.appointments.tables import CallBy, Mode, Travel
from referralnet.errors import InvalidInput
from referralnet.survivors.vocabulary import spoken_languages


@dataclass(frozen=True, slots=True)
class Arrangements:
    """Who calls, in which language (ISO 639) somebody interprets, who sees to the way there; what is arranged already.

    The target arranges the interpreter, and says whether it has. Of the way, whoever sees to it says so.
    """

    call_by: CallBy | None = None
    interpreter_language: str | None = None
    interpreter_arranged: bool = False
    travel: Travel | None = None
    travel_arranged: bool = False

    def check(self, mode: Mode) -> None:
        """Raise InvalidInput, naming the field, where they do not fit one another or how the two meet."""
        if self.call_by is not None and mode is not Mode.PHONE:
            raise InvalidInput(field="call_by", detail="Only where they meet by phone.")
        if self.interpreter_language is not None and self.interpreter_language not in spoken_languages():
            raise InvalidInput(field="interpreter", detail="Use an ISO 639 code such as es, or ase for sign language.")
        if self.interpreter_arranged and self.interpreter_language is None:
            raise InvalidInput(field="interpreter", detail="Say for which language.")
        if self.travel is not None and mode is not Mode.IN_PERSON:
            raise InvalidInput(field="travel", detail="Only where they meet in person.")


NOTHING_ARRANGED = Arrangements()
_TARGET_SAYS = frozenset({Travel.SURVIVOR, Travel.TARGET})
"""Of whose arrangements for the way the target says whether they are made; the source says so itself."""


def arranged_anew(before: Arrangements, changes: Mapping[str, Any], *, mode: Mode, moved: bool) -> Arrangements:
    """The arrangements after the target changed something.

    What is not among `changes` stays, but for what the change undoes: an interpreter and a ride to a visit that `moved`
    were arranged for another time, another language or another driver has nothing arranged yet, and there is no ride to
    a telephone.

    Args:
        before: as they stood.
        changes: fields of `Arrangements` with their new values.
        mode: how the two meet from now on.
        moved: whether the visit has another time than before.

    Raises:
        InvalidInput: naming the field.
    """
    after = replace(before, **changes)
    if moved or after.interpreter_language != before.interpreter_language:
        after = replace(after, interpreter_arranged=bool(changes.get("interpreter_arranged")))
    if moved or after.travel is not before.travel:
        after = replace(after, travel_arranged=bool(changes.get("travel_arranged")))
    if mode is not Mode.PHONE and "call_by" not in changes:
        after = replace(after, call_by=None)
    if mode is not Mode.IN_PERSON and "travel" not in changes:
        after = replace(after, travel=None, travel_arranged=False)
    if changes.get("travel_arranged") and after.travel not in _TARGET_SAYS:
        raise InvalidInput(field="travel", detail="Whoever sees to the way says that it is arranged.")
    after.check(mode)
    return after


def arrangements_of(row: Any) -> Arrangements:
    """From a row with the columns of an appointment."""
    return Arrangements(
        call_by=CallBy(row.call_by) if row.call_by else None,
        interpreter_language=row.interpreter_language,
        interpreter_arranged=row.interpreter_arranged,
        travel=Travel(row.travel) if row.travel else None,
        travel_arranged=row.travel_arranged,
    )
