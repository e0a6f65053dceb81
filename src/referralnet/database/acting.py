"""Who a transaction acts for. Row security reads it; without it there are no rows (A2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Role(StrEnum):
    """What a member does at an agency."""

    COORDINATOR = "coordinator"
    INTAKE = "intake"
    AGENCY_ADMIN = "agency_admin"
    NETWORK_ADMIN = "network_admin"
    AUDITOR = "auditor"
    EXPORTER = "exporter"
    """Beside another role: may take what that role keeps out of the program in a file."""


class AgencyKind(StrEnum):
    """What an agency of the network is."""

    LAW_ENFORCEMENT = "law_enforcement"
    PROSECUTION = "prosecution"
    VICTIM_SERVICES = "victim_services"
    LEGAL_AID = "legal_aid"
    HEALTH = "health"
    IMMIGRATION_LEGAL = "immigration_legal"
    GOVERNMENT_BENEFITS = "government_benefits"
    CONSULAR = "consular"
    FINANCIAL = "financial"
    NETWORK_OPERATOR = "network_operator"


class Actor(Protocol):
    """Whoever a transaction acts for."""

    def database_settings(self) -> Mapping[str, str]:
        """The settings, local to the transaction, that row security reads."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """Before sign-in: sees no row."""

    def database_settings(self) -> Mapping[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class Member:
    """A signed-in member, as loaded at the start of this request."""

    member_id: UUID
    agency_id: UUID
    agency_kind: AgencyKind
    roles: frozenset[Role]
    session_id: UUID
    stepped_up_at: datetime | None

    def database_settings(self) -> Mapping[str, str]:
        return {"referralnet.member": str(self.member_id)}


@dataclass(frozen=True, slots=True)
class Custodian:
    """The worker, in the custody of one agency."""

    agency_id: UUID

    def database_settings(self) -> Mapping[str, str]:
        return {"referralnet.agency": str(self.agency_id)}


@dataclass(frozen=True, slots=True)
class PublicReader:
    """Anybody, reading the public projection of the directory and nothing else."""

    def database_settings(self) -> Mapping[str, str]:
        return {"referralnet.public_reader": "yes"}


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """The worker, looking at what is due in every agency: ids and times, no case."""

    def database_settings(self) -> Mapping[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class Operator:
    """A command typed on the host, as the owner role."""

    def database_settings(self) -> Mapping[str, str]:
        return {}
