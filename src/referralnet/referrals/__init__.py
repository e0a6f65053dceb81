"""A referral's whole life: sent, answered, visited, ended; one table says what may happen and by whom."""
