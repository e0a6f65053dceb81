"""A referral of two browsers: its source's and its target's, in the present by whose clock releases are judged."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyotp
from sqlalchemy import insert

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Member, Operator
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.step_up import seal_totp_secret
from referralnet.identity.tables import MemberCredential
from referralnet.survivors.needs import Urgency
from tests.factories.identity import WEAK_HASH
from tests.factories.referrals import Network, Sent, make_network, send
from tests.surface.console.conftest import Browser, OpenBrowser, hidden, sign_in_as

ADDRESS = re.compile(r"/requests/[\w-]{43}")


@dataclass
class Two:
    """One referral, looked at from both sides."""

    network: Network
    sent: Sent
    source: Browser
    target: Browser

    async def address(self, side: Browser) -> str:
        """The referral's page, as this side's home page leads to it."""
        found = ADDRESS.search((await side.get("/")).text)
        assert found
        return found.group()

    async def step(self, side: Browser, step: str, **fields: str) -> str:
        """Take a step from the page, and the page that follows."""
        address = await self.address(side)
        answer = await side.post(f"{address}/{step}", page=address, **fields)
        if answer.status_code == 303:
            return (await side.get(answer.headers["location"])).text
        return answer.text


async def two_sides(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock,
    *, beds: int | None = 4, source_kind: AgencyKind = AgencyKind.VICTIM_SERVICES, urgency: Urgency = Urgency.URGENT,
) -> Two:  # fmt: skip
    """A network with one referral that waits for its answer."""
    network = await make_network(owner, beds=beds, source_kind=source_kind)
    sent = await send(app, network, keyring, urgency=urgency, now=present.now())
    source = await sign_in_as(browser(now=present), app, network.coordinator, present)
    target = await sign_in_as(browser(now=present), app, network.intake, present)
    return Two(network, sent, source, target)


async def give_authenticator(owner: Database, keyring: Keyring, member: Member) -> pyotp.TOTP:
    """Let a member of the network prove a second factor."""
    secret = pyotp.random_base32()
    async with owner.transaction(Operator()) as session:
        sealed = seal_totp_secret(keyring, member.member_id, secret)
        values = {"member_id": member.member_id, "password_hash": WEAK_HASH, "totp_sealed": sealed}
        await session.execute(insert(MemberCredential).values(values).inline())
    return pyotp.TOTP(secret)


__all__ = ["Two", "give_authenticator", "hidden", "two_sides"]
