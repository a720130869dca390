"""What the operating system keeps the child from: memory above all.

DuckDB's own limit does not hold for what one expression makes (a list took 7 GB under a limit of
256 MB), so the system has to set one:

- Linux: ``RLIMIT_DATA`` counts every private writable mapping, so an allocation beyond it fails
  inside DuckDB, which reports it; the process goes on.
- Windows: a job object limits the process's committed memory, with the same effect.
- macOS counts neither; there, and everywhere else as a second line, a thread looks at the
  resident memory twenty times a second and ends the process.

On POSIX the child can also write no file, dump no core and open few descriptors.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from pathlib import Path

from losant_mcp.analysis.child import wire

_PERIOD = 0.05
_SHARED = 64 * 1024**2
"""Resident memory also counts libraries, which take no allocation."""
_DESCRIPTORS = 64


def confine(memory: int) -> None:
    """Hold this process, from now on, to so many bytes of memory, and to no files."""
    if sys.platform == "win32":
        _job(memory)
    else:
        _rlimits(memory)
    threading.Thread(target=_watch, args=(memory + _SHARED,), daemon=True).start()


def _watch(memory: int) -> None:
    while True:
        if resident() > memory:
            os._exit(wire.EXIT_MEMORY)
        time.sleep(_PERIOD)


if sys.platform != "win32":
    import resource

    def _rlimits(memory: int) -> None:
        # Address space is reserved generously by allocators and thread stacks; it is only a
        # second fence, for mappings that RLIMIT_DATA does not count.
        for limit, value in (
            (resource.RLIMIT_DATA, memory),
            (resource.RLIMIT_AS, memory + 4 * 1024**3),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        ):
            _, hard = resource.getrlimit(limit)
            if hard != resource.RLIM_INFINITY:
                value = min(value, hard)
            try:
                resource.setrlimit(limit, (value, value))
            except (ValueError, OSError):
                # macOS refuses some; the watching thread is there for that.
                continue

    def resident() -> int:
        """The bytes of memory that this process holds; where only that is told, held at most."""
        if sys.platform == "linux":
            pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
            return pages * resource.getpagesize()
        return peak()

    def peak() -> int:
        """The bytes of memory that this process held at most."""
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024

else:

    class _Counters(ctypes.Structure):
        _fields_ = (
            ("cb", ctypes.c_uint32),
            ("PageFaultCount", ctypes.c_uint32),
            ("PeakWorkingSetSize", ctypes.c_size_t),
            ("WorkingSetSize", ctypes.c_size_t),
            ("QuotaPeakPagedPoolUsage", ctypes.c_size_t),
            ("QuotaPagedPoolUsage", ctypes.c_size_t),
            ("QuotaPeakNonPagedPoolUsage", ctypes.c_size_t),
            ("QuotaNonPagedPoolUsage", ctypes.c_size_t),
            ("PagefileUsage", ctypes.c_size_t),
            ("PeakPagefileUsage", ctypes.c_size_t),
        )

    class _Limits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION, whose first and third part are written flat."""

        _fields_ = (
            ("PerProcessUserTimeLimit", ctypes.c_int64),
            ("PerJobUserTimeLimit", ctypes.c_int64),
            ("LimitFlags", ctypes.c_uint32),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", ctypes.c_uint32),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", ctypes.c_uint32),
            ("SchedulingClass", ctypes.c_uint32),
            ("IoInfo", ctypes.c_uint64 * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        )

    _ACTIVE_PROCESS = 0x8
    _PROCESS_MEMORY = 0x100
    _KILL_ON_JOB_CLOSE = 0x2000
    _EXTENDED_LIMIT_INFORMATION = 9

    def _job(memory: int) -> None:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = ctypes.c_void_p
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
        limits = _Limits()
        limits.LimitFlags = _ACTIVE_PROCESS | _PROCESS_MEMORY | _KILL_ON_JOB_CLOSE
        limits.ActiveProcessLimit = 1
        limits.ProcessMemoryLimit = memory
        # Where a host forbids nested jobs this fails, and the watching thread is what is left.
        if kernel.SetInformationJobObject(
            job, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
        ):
            kernel.AssignProcessToJobObject(job, ctypes.c_void_p(kernel.GetCurrentProcess()))

    def _counters() -> _Counters:
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        counters = _Counters()
        counters.cb = ctypes.sizeof(counters)
        kernel.K32GetProcessMemoryInfo(
            ctypes.c_void_p(kernel.GetCurrentProcess()), ctypes.byref(counters), counters.cb
        )
        return counters

    def resident() -> int:
        """The bytes of memory that this process holds."""
        return int(_counters().WorkingSetSize)

    def peak() -> int:
        """The bytes of memory that this process held at most."""
        return int(_counters().PeakWorkingSetSize)
