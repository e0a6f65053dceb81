"""What happens by the clock: each file is one job, and timetable.py is the whole schedule."""
