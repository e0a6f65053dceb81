"""Agencies, members, sign-in, sessions and what each actor may do."""
