"""Every reason for which consent is not there, each under its own name (C1)."""

from __future__ import annotations

from referralnet.errors import Refusal


class NoLiveRelease(Refusal):
    """There is no release in force for this."""

    code = "NO_LIVE_RELEASE"


class ReleaseNamesAnotherAgency(Refusal):
    """The release names another agency as the one that may be told."""

    code = "RELEASE_NAMES_ANOTHER_AGENCY"


class ReleaseExpired(Refusal):
    """The release has expired. Ask the survivor for a new one."""

    code = "RELEASE_EXPIRED"


class ReleaseNotStarted(Refusal):
    """The release is not in force yet."""

    code = "RELEASE_NOT_STARTED"


class ReleaseWithdrawn(Refusal):
    """The survivor has ended this release."""

    code = "RELEASE_WITHDRAWN"


class CategoryNotReleased(Refusal):
    """The survivor did not release this category."""

    code = "CATEGORY_NOT_RELEASED"


class UnknownCategory(Refusal):
    """There is no such category of information."""

    code = "UNKNOWN_CATEGORY"


class RecipientIsOwnAgency(Refusal):
    """A release names another agency; your own needs none."""

    code = "RECIPIENT_IS_OWN_AGENCY"


class TermOutOfBounds(Refusal):
    """A release lasts from 1 to 365 days."""

    code = "TERM_OUT_OF_BOUNDS"


class MinorNeedsGuardian(Refusal):
    """A minor of this age does not sign for this purpose alone; a guardian who is not the abuser signs as well."""

    code = "MINOR_NEEDS_GUARDIAN"


class GuardianCannotSign(Refusal):
    """Nobody signs for a survivor who is not known to be a minor."""

    code = "GUARDIAN_CANNOT_SIGN"


class SignerIsAbuser(Refusal):
    """Whoever is marked as her abuser, or as the abuser of her other parent, signs nothing for her; another may."""

    code = "SIGNER_IS_ABUSER"
    audited = True


class AlreadyDisclosed(Refusal):
    """The release was used for this referral already."""

    code = "ALREADY_DISCLOSED"


class ReleaseNotProposed(Refusal):
    """The release does not wait for a signature: it was signed, declined or withdrawn already."""

    code = "RELEASE_NOT_PROPOSED"


class ReleaseReplaced(Refusal):
    """A newer release has taken this one's place; the newer one is what counts."""

    code = "RELEASE_REPLACED"


class NothingLeftToRelease(Refusal):
    """Narrowing leaves out a category or shortens the time, and leaves something. To end it all, withdraw it."""

    code = "NOTHING_LEFT_TO_RELEASE"


class NothingNew(Refusal):
    """What was told is what is recorded: there is no update to share."""

    code = "NOTHING_NEW"
