"""Three journeys through the API, beside the same questions asked in other ways: `python -m benchmarks.journeys`."""
