"""Connections, the acting context of every transaction, migrations."""
