"""The surface that other directories read: HSDS 3.1 over HTTP, the public projection and nothing else."""
