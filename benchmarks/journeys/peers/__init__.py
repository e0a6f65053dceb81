"""The same questions answered in other ways, each in a file of its own; all of them on ReferralNet's own tables.

Each speaks to the database as ReferralNet's application role and says who acts, so that row security and the triggers
of a transition hold for all alike. What they leave out is what ReferralNet does besides: they take the number of the
agency that asks from a header and believe it, limit nothing, mend no spelling, and hash no content of a mutation.
"""
