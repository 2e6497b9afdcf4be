#!/bin/sh
# Build a virtual environment from a pinned, hashed requirements file.
# Usage: make_venv.sh VENV REQUIREMENTS    (PYTHON names the interpreter; default: the first 3.11)
set -eu

venv=$1
requirements=$2

is_python_3_11() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1
}

python=
for candidate in ${PYTHON:-python3.11 python3 python}; do
    if is_python_3_11 "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "SoftFactory Files needs Python 3.11; ${PYTHON:-python3.11, python3 and python} is not it." >&2
    echo "Install it, or say where it is: make run PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    echo "This Python 3.11 cannot make virtual environments: its ensurepip module is missing." >&2
    echo "On Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
fi

install() {
    # --no-deps: the files list everything, so that there is nothing to resolve.
    # Twice quiet: pip's warnings are about its own configuration, errors still show.
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps \
        --require-hashes "$@"
}

# Built anew whenever the pins change: what the old ones brought along goes with them.
echo "Installing $requirements into $venv (about half a minute) ..."
"$python" -m venv --clear "$venv"
# Hidden from git, whatever its .gitignore says.
echo '*' >"$venv/.gitignore"
install --only-binary :all: -r "$requirements"
# What another Python 3.11 than the one that compiled the pins would miss is named here.
"$venv/bin/python" -m pip check --disable-pip-version-check >"$venv/check.log" || {
    cat "$venv/check.log" >&2
    exit 1
}
if ! install -r requirements-fast.txt 2>"$venv/fast.log"; then
    echo "No C compiler with Python's headers here ($venv/fast.log has the details): gunicorn will"
    echo "read requests with its Python parser. Everything works; small requests take more CPU."
fi
touch "$venv/.installed"
