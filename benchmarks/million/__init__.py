"""A network of a million rows, and how long everything that lists, searches and counts takes on it."""
