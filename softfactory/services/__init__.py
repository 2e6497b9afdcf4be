"""What the product does: use cases that know no HTTP."""
