"""The operator's commands: ``./files users|files|storage ...``."""
