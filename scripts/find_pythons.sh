#!/bin/sh
# Print an interpreter of each Python that runs this service, oldest first, a path a line.
# Usage: find_pythons.sh [CANDIDATE...]    (default: the PATH, then pyenv's and uv's directories)
#
# Those that lack a module that virtual environments are made with come last, with a tab and the
# module's name behind the path. Exit status 1 where there is none at all.
set -u

oldest=11
newest=14

if [ "$#" = 0 ]; then
    minor=$oldest
    pyenv=${PYENV_ROOT:-$HOME/.pyenv}/versions
    uv=${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}
    while [ "$minor" -le "$newest" ]; do
        # pyenv's commands on the PATH fail for every version that is not switched on.
        set -- "$@" "python3.$minor" "$pyenv/3.$minor".*/bin/python "$uv/cpython-3.$minor".*/bin/python3
        minor=$((minor + 1))
    done
    set -- "$@" python3 python
fi

# Free-threaded builds and other implementations have no wheels of what is pinned.
for candidate in "$@"; do
    "$candidate" -c '
import importlib.util, sys, sysconfig
missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
is_usual = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
if sys.version_info[0] == 3 and is_usual:
    print(sys.version_info[1], sys.executable, *missing[:1], sep="\t")
' 2>/dev/null
done | awk -F '\t' -v oldest="$oldest" -v newest="$newest" '
    $1 >= oldest && $1 <= newest {
        if (NF == 2 && !whole[$1]) whole[$1] = $2
        if (NF == 3 && !bare[$1]) bare[$1] = $2 FS $3
    }
    END {
        for (minor = oldest; minor <= newest; minor++) if (whole[minor]) { print whole[minor]; found = 1 }
        for (minor = oldest; minor <= newest; minor++)
            if (bare[minor] && !whole[minor]) { print bare[minor]; found = 1 }
        exit !found
    }'
