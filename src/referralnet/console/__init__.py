"""The web workspace: pages made on the server, a client of the same areas as the API."""
