"""Releases and disclosures as the API tells them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.performing import perform
from referralnet.consent import disclosures, releases
from referralnet.consent.categories import Category
from referralnet.database.acting import Member
from referralnet.identity.access import Permission

strawberry.enum(Category, description="A kind of data that a release may include.")
