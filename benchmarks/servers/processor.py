"""What a server's processes take of the processor, by the kernel's own count (Linux)."""

from benchmarks.servers.memory import family


def processor_seconds(pid: int) -> float:
    """Return the user and system time of a process and its children since they began.

    The kernel counts in steps of 10 ms (proc(5), /proc/pid/stat), so time many requests at once.
    """
    times = [process.cpu_times() for process in family(pid)]
    return sum(each.user + each.system for each in times)
