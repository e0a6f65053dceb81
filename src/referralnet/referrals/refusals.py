"""What is refused beside the steps of the table."""

from __future__ import annotations

from referralnet.errors import Refusal


class ReferralOver(Refusal):
    """The referral has ended."""

    code = "REFERRAL_OVER"


class NotAccepted(Refusal):
    """The service has not taken her on, or does so no more. Nothing passes between the two before or after."""

    code = "NOT_ACCEPTED"
