"""What each role may do, on one screen. What an actor may *see* is decided by row security from the same roles (A1)."""

from __future__ import annotations

from enum import StrEnum

from referralnet.database.acting import Member, Role
from referralnet.errors import NotPermitted


class Permission(StrEnum):
    """Something a member may be allowed to do."""

    SEARCH_DIRECTORY = "search_directory"
    KEEP_SURVIVORS = "keep_survivors"
    RECORD_RELEASES = "record_releases"
    SEND_REFERRALS = "send_referrals"
    ANSWER_REFERRALS = "answer_referrals"
    READ_REFERRALS = "read_referrals"
    READ_DISCLOSURES = "read_disclosures"
    READ_ACCOUNTING = "read_accounting"
    KEEP_CAPACITY = "keep_capacity"
    KEEP_LISTING = "keep_listing"
    DECIDE_DUPLICATES = "decide_duplicates"
    KEEP_MEMBERS = "keep_members"
    KEEP_WEBHOOKS = "keep_webhooks"
    KEEP_TEXT_POLICY = "keep_text_policy"
    SEE_ALARMS = "see_alarms"
    READ_TRAIL = "read_trail"
    EXPORT_REFERRALS = "export_referrals"
    READ_MEASURES = "read_measures"
    KEEP_AGENCIES = "keep_agencies"
    KEEP_DEADLINES = "keep_deadlines"
    IMPORT_DIRECTORY = "import_directory"


_EVERYBODY = frozenset({Permission.SEARCH_DIRECTORY})

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.COORDINATOR: _EVERYBODY
    | {
        Permission.KEEP_SURVIVORS,
        Permission.RECORD_RELEASES,
        Permission.SEND_REFERRALS,
        Permission.READ_REFERRALS,
        Permission.READ_ACCOUNTING,
    },
    Role.INTAKE: _EVERYBODY
    | {
        Permission.ANSWER_REFERRALS,
        Permission.READ_REFERRALS,
        Permission.READ_DISCLOSURES,
        Permission.KEEP_CAPACITY,
    },
    Role.AGENCY_ADMIN: _EVERYBODY
    | {
        Permission.KEEP_CAPACITY,
        Permission.KEEP_LISTING,
        Permission.KEEP_MEMBERS,
        Permission.KEEP_WEBHOOKS,
        Permission.KEEP_TEXT_POLICY,
        Permission.SEE_ALARMS,
        Permission.DECIDE_DUPLICATES,
        Permission.READ_MEASURES,
    },
    # A4: these two read no case field.
    Role.NETWORK_ADMIN: _EVERYBODY
    | {
        Permission.DECIDE_DUPLICATES,
        Permission.KEEP_AGENCIES,
        Permission.KEEP_DEADLINES,
        Permission.IMPORT_DIRECTORY,
        Permission.READ_MEASURES,
        Permission.SEE_ALARMS,
    },
    Role.AUDITOR: _EVERYBODY | {Permission.READ_TRAIL, Permission.READ_MEASURES},
    # A right beside a role that keeps cases: alone it opens none.
    Role.EXPORTER: _EVERYBODY | {Permission.EXPORT_REFERRALS},
}


def is_permitted(actor: Member, permission: Permission) -> bool:
    """Whether any of the member's roles includes the permission."""
    return any(permission in ROLE_PERMISSIONS[role] for role in actor.roles)


def require(actor: Member, permission: Permission) -> None:
    """Raise NotPermitted unless one of the member's roles includes the permission."""
    if not is_permitted(actor, permission):
        raise NotPermitted
