"""The servers that are measured, each in processes of its own."""
