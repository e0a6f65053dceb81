"""Releases of information and the sealed disclosures made under them."""
