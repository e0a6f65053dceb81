"""Appointments a provider sets for an accepted referral."""
