#!/bin/sh
# What the image starts: the service, with nothing given to it at all if need be.
#
# On SQLite, secrets that nobody gave are made once and kept beside the database, where the image's
# .env points to. With another database several containers have to share them: production refuses
# to start without.
set -eu

cd "$(dirname "$0")/.."
case ${DATABASE_URL:-sqlite} in
    sqlite*) python scripts/write_env.py --production SECRET_KEY JWT_SECRET_KEY ;;
esac
exec gunicorn -c gunicorn.conf.py --bind "${BIND:-0.0.0.0:8000}" "$@" wsgi:app
