"""The contracts' routes, a package for each domain; none imports another."""
