"""Visits that a target arranges for a referral: local times made into instants, kept, moved, confirmed."""
