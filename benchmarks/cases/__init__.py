"""What is measured: one module a kind of work, each with ``measure(bench)``."""
