"""The trail: who saw or did what, appended in the same transaction."""
