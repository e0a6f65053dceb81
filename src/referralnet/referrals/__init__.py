"""A referral's life from draft to its end."""
