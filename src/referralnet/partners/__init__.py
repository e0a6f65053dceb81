"""Telling an agency's own systems that something happened: which, when, and how it stands. No identity."""
