"""The operator's commands: ``flask --app wsgi users|files|storage ...``."""
