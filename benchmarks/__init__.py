"""How fast the service is, beside nginx and copyparty, on the same machine: ``make bench``."""
