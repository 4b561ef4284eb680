"""What processes have used: processor time, and the most memory that each ever had (proc(5))."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_TICKS_A_S = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and its children's children; those that have ended are left out."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in family(int(child)))]


def cpu_s(pids: Iterable[int]) -> float:
    """Return the processor time of processes and of their children that have ended, in seconds."""
    return sum(sum(_times(pid)) for pid in pids) / _TICKS_A_S


def peak_mb(pids: Iterable[int]) -> float:
    """Return the most memory that any one of the processes ever had, in MB of 1,000,000 bytes."""
    return max((_peak_kib(pid) for pid in pids), default=0) * 1024 / 1_000_000


def stolen_s() -> float | None:
    """Return the processor time that the host has given to others so far, in seconds; None where nobody tells."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()
    except OSError:
        return None
    return int(fields[8]) / _TICKS_A_S if len(fields) > 8 else None


def postmaster_of(folder: Path) -> int | None:
    """Return the process of a PostgreSQL that keeps its data somewhere below a folder; None where none does."""
    for path in folder.glob("*/postmaster.pid"):
        return int(path.read_text(encoding="ascii").split()[0])
    return None


def _times(pid: int) -> Iterator[int]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return
    # The name, in brackets, may hold blanks; utime, stime, cutime and cstime are the 14th to the 17th field.
    yield from map(int, stat.rpartition(")")[2].split()[11:15])


def _peak_kib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
