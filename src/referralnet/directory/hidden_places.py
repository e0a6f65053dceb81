"""What a listing says is read by everybody: it tells no street, ZIP code or telephone of a hidden house (D1, D2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.errors import Refusal

TELEPHONE_DIGITS_MIN = 7


class TellsHiddenPlace(Refusal):
    """It tells the street, the ZIP code or the telephone of a confidential place, and everybody reads it."""

    code = "TELLS_HIDDEN_PLACE"


# Row security lets an agency read its own hidden places, and nobody else's.
_PLACES = """
    select location.id from location
     where location.confidential and location.gone_at is null
       and (location.organization_id = :organization
            or location.id in (select location_id from service_at_location at
                                 join service on service.id = at.service_id
                                where service.organization_id = :organization))
"""
_HIDDEN = f"""
    with hidden as ({_PLACES})
    select address_1, postal_code, null as number from address
     where gone_at is null and location_id in (select id from hidden)
    union all
    select null, null, number from phone where gone_at is null and location_id in (select id from hidden)
"""  # noqa: S608 (our own names)


async def has_hidden_place(session: AsyncSession, service_id: UUID) -> bool:
    """Whether whoever offers a service of the acting agency has a place that is kept secret."""
    whose = text("select organization_id from service where id = :service")
    organization_id = await session.scalar(whose, {"service": service_id})
    return bool(await session.scalar(text(f"select exists ({_PLACES})"), {"organization": organization_id}))


async def refuse_what_tells(session: AsyncSession, organization_id: UUID, texts: Mapping[str, str | None]) -> None:
    """Refuse texts, by field, that lead to a hidden place of the organization.

    Raises:
        TellsHiddenPlace: naming the field, and never what it told.
    """
    found = (await session.execute(text(_HIDDEN), {"organization": organization_id})).all()
    streets = {_plain(value) for row in found for value in (row.address_1, row.postal_code) if value}
    numbers = {_digits(row.number)[-10:] for row in found if row.number}
    for field, value in texts.items():
        if value is None:
            continue
        words, digits = f" {_plain(value)} ", _digits(value)
        if any(f" {street} " in words for street in streets if street):
            raise TellsHiddenPlace(field=field)
        if any(number in digits for number in numbers if len(number) >= TELEPHONE_DIGITS_MIN):
            raise TellsHiddenPlace(field=field)


def _plain(value: str) -> str:
    return " ".join(re.findall(r"\w+", value.lower()))


def _digits(value: str) -> str:
    return re.sub(r"\D", "", value)
