"""Write fresh random secrets into ``.env``, each where it is not set yet.

``python3 scripts/write_env.py`` makes a ``.env`` for development where there is none, with
``--production`` one that says nothing but the secrets. Names of variables as arguments are added to
it: compose.yaml says which ones it wants.
"""

import os
import re
import secrets
import sys
from pathlib import Path

SECRET_BYTES = 48
"""384 bits; RFC 7518 section 3.2 asks 256 of an HS256 key."""

DEVELOPMENT = (
    "# Written by `make run`; .env.example lists every variable.\n"
    "APP_ENV=development\n"
    "MAIL_FILE_PATH=mail\n"
)

PRODUCTION = "# Written at the first start; .env.example lists every variable.\n"


def write_env(path: Path, *names: str, settings: str = DEVELOPMENT) -> list[str]:
    """Give each of ``names`` a random value in ``path``; return those that had none.

    A new file gets ``settings`` and the two secrets of the application, and is readable by its
    owner only. Nothing that is set already changes. A link is followed to where nothing is yet.
    """
    try:
        descriptor = os.open(path.resolve(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        text = path.read_text("utf-8")
    else:
        with os.fdopen(descriptor, "w", encoding="utf-8") as env:
            env.write(settings)
        text = settings
        names = tuple(dict.fromkeys(("SECRET_KEY", "JWT_SECRET_KEY", *names)))
    missing = [
        name for name in names if not re.search(rf"^{re.escape(name)}=.", text, re.MULTILINE)
    ]
    if missing:
        with path.open("a", encoding="utf-8") as env:
            env.write("" if text.endswith("\n") else "\n")
            env.writelines(f"{name}={secrets.token_urlsafe(SECRET_BYTES)}\n" for name in missing)
    return missing


def main(arguments: list[str]) -> None:
    """Write ``.env`` of this directory."""
    names = [argument for argument in arguments if argument != "--production"]
    settings = PRODUCTION if "--production" in arguments else DEVELOPMENT
    if written := write_env(Path(".env"), *names, settings=settings):
        print(f"Wrote fresh random values into .env: {', '.join(written)}.")


if __name__ == "__main__":
    main(sys.argv[1:])
