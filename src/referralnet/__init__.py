"""ReferralNet: a victim-services referral and coordination network."""
