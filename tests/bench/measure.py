"""Runs one program and says what it took: wall clock, CPU and memory of its process tree."""

import dataclasses
import os
import resource
import signal
import subprocess
import threading
import time

POLL_SECONDS = 0.1
TIME_LIMIT = 900
OTHERS_SECONDS = 1.0
OWN_MARGIN_KIB = 4096


class Failed(Exception):
    """The program ended with another status than 0; the message holds what it said last."""


@dataclasses.dataclass
class Usage:
    wall: float         # seconds
    cpu: float          # seconds, user and system, of all processes of the tree
    rss: int            # bytes: the sum of the peaks of the tree's processes


def run(argv, log):
    """Runs argv to its end. The kernel's threads (loop, write-back) are in nobody's CPU time."""
    with open(log, "wb") as output:
        started = time.monotonic()
        child = subprocess.Popen([str(arg) for arg in argv], stdin=subprocess.DEVNULL,
                                 stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    watch = _Watch(child.pid)
    try:
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - started
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    finally:
        watch.end()
    child.returncode = os.waitstatus_to_exitcode(status)
    if watch.is_late:
        raise Failed(f"not done after {TIME_LIMIT} s")
    if child.returncode != 0:
        raise Failed(f"status {child.returncode}: {last_line(log)}")
    return Usage(wall, usage.ru_utime + usage.ru_stime, _peak(watch.peaks, usage))


class _Watch:
    """Looks at the memory of a process tree while it runs, and ends it when it takes too long."""

    def __init__(self, pid):
        self.peaks, self.is_late = {}, False
        self._pid, self._ended = pid, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self):
        self._ended.set()
        self._thread.join()

    def _run(self):
        deadline = time.monotonic() + TIME_LIMIT
        while not self._ended.is_set():
            _look_at(self._pid, self.peaks)
            if time.monotonic() > deadline:
                self.is_late = True
                os.killpg(self._pid, signal.SIGKILL)
                return
            self._ended.wait(POLL_SECONDS)


def _look_at(pid, peaks):
    """Notes the peak memory of a process and of those below it, as long as they are there."""
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    peaks[pid] = int(line.split()[1]) * 1024
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                children = file.read().split()
            for below in children:
                _look_at(int(below), peaks)
    except OSError:
        return


def _peak(peaks, usage):
    """A child's ru_maxrss begins at what this program had: what is near that says nothing."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counted = usage.ru_maxrss if usage.ru_maxrss > own + OWN_MARGIN_KIB else 0
    return max(sum(peaks.values()), counted * 1024)


def last_line(log):
    with open(log, "rb") as file:
        lines = file.read().decode(errors="replace").replace("\r", "\n").split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


def load_average():
    return os.getloadavg()[0]


def others():
    """How many CPUs are kept busy while this program does nothing."""
    before, since = _busy(), time.monotonic()
    time.sleep(OTHERS_SECONDS)
    return (_busy() - before) / (time.monotonic() - since)


def _busy():
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
