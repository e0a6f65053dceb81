"""Requests from the carrier: verified, recorded, answered. A job does the work."""
