"""The WSGI entry point: ``gunicorn -c gunicorn.conf.py wsgi:app``, ``./files ...``."""

from config import Config, ConfigError
from softfactory.factory import create_app

try:
    app = create_app(Config.from_env())
except ConfigError as error:
    # A sentence that names the variables, instead of a traceback.
    raise SystemExit(str(error)) from None
