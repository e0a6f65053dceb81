"""Survivors in your agency's custody: recorded sealed, shown only after a fresh second factor."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.identity import Done, DoneResult, show_done
from referralnet.api.performing import perform
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.survivors import contact_plans, needs, recording
