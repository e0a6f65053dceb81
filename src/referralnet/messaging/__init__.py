"""Texts that are safe to find on a phone, sent once or not at all."""
