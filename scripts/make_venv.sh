#!/bin/sh
# Build a virtual environment from a pinned, hashed requirements file.
# Usage: make_venv.sh VENV REQUIREMENTS    (PYTHON names the interpreter; default: the oldest fit one)
set -eu

venv=$1
requirements=$2

if ! found=$(sh "$(dirname "$0")/find_pythons.sh" ${PYTHON:+"$PYTHON"}); then
    echo "SoftFactory Files needs Python 3.11, 3.12, 3.13 or 3.14." \
        "${PYTHON:-What the PATH, pyenv and uv have} is none of them." >&2
    echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv)," \
        "or say where it is: make run PYTHON=/path/to/python3" >&2
    exit 1
fi
python=$(echo "$found" | head -n 1 | cut -f 1)
missing=$(echo "$found" | head -n 1 | cut -s -f 2)
if [ -n "$missing" ]; then
    echo "$python cannot make virtual environments: its module $missing is missing." >&2
    echo "On Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
fi

install() {
    # --no-deps: the files list everything, so that there is nothing to resolve.
    # Twice quiet: pip's warnings are about its own configuration, errors still show.
    # --no-compile: Python does it for the modules that are used, in half the time.
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-compile --no-deps \
        --require-hashes "$@"
}

# Built anew whenever the pins change: what the old ones brought along goes with them.
echo "Installing $requirements into $venv with $("$python" -V) (about half a minute) ..."
"$python" -m venv --clear "$venv"
# Hidden from git, whatever its .gitignore says.
echo '*' >"$venv/.gitignore"
install --only-binary :all: -r "$requirements"
# What another Python than the one that compiled the pins would miss is named here.
"$venv/bin/python" -m pip check --disable-pip-version-check >"$venv/check.log" || {
    cat "$venv/check.log" >&2
    exit 1
}
if ! install -r requirements-fast.txt 2>"$venv/fast.log"; then
    echo "No C compiler with Python's headers here ($venv/fast.log has the details): gunicorn will"
    echo "read requests with its Python parser. Everything works; small requests take more CPU."
fi
touch "$venv/.installed"
