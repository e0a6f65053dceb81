"""What happens by the clock: each job is one file, and timetable.py is the whole schedule.

Beside them stand the worker and the importer that run them, what jobs are given (work.py), how they go row by row
(one_by_one.py), and when each looked last (looks.py).
"""
