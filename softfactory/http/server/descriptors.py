"""How many connections a worker may take, by the files and sockets that the system lets it open.

Most systems let a process open 1,024 where it does not ask for more (setrlimit(2)). Past that, nothing
can be opened: no file, no database, and no connection.
"""

import resource

CONNECTIONS = 1000
"""At once in one worker, as gunicorn has it."""

PER_CONNECTION = 2
"""Itself, and the file that its answer is sent from."""

SPARE = 256
"""For all that is no client's: what a process has open anyway, and up to three for each thread."""

ENOUGH = CONNECTIONS * PER_CONNECTION + SPARE


def connections() -> int:
    """Return the connections that fit, after raising this process's limit as far as that helps.

    Raises:
        SystemExit: the limit leaves room for none.
    """
    limit = _raised(*resource.getrlimit(resource.RLIMIT_NOFILE))
    if limit == resource.RLIM_INFINITY:
        return CONNECTIONS
    found = min(CONNECTIONS, (limit - SPARE) // PER_CONNECTION)
    if found < 1:
        raise SystemExit(
            f"This process may open {limit} files, and needs {ENOUGH}: raise its limit (ulimit -n)."
        )
    return found


def _raised(soft: int, hard: int) -> int:
    if soft == resource.RLIM_INFINITY or soft >= ENOUGH:
        return soft
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS has a limit beside the one that it tells
        return soft
    return wanted
