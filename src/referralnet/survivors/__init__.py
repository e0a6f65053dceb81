"""Survivors in the custody of one agency: sealed identity, contact plan, needs."""
