"""The directory: who helps, with what, where, in which languages, and how many places are free."""
