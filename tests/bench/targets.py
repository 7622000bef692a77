"""What is restored onto. Every program finds the target in the same state."""

import contextlib
import fcntl
import os
import pathlib

import data
import paths
import system

RAM_FILE = pathlib.Path("/dev/shm/v2p-bench")
LOCK = pathlib.Path("/run/lock/v2p-bench")
DISK_FILE = paths.BUILD / "bench" / "target"


class Target:
    """file holds the bytes; path is what programs write to: a loop device over it, or itself."""

    def __init__(self, name, file, size, path):
        self.name, self.file, self.size, self.path = name, file, size, path
        self.is_device = path != file

    def make_ready(self):
        """Every block exists: holes that a program punched are filled again with zeroes.

        Blocks that held data keep it, so that a program finds them as the one before did.
        """
        if self.is_device:
            system.call("blockdev", "--flushbufs", self.path)
        with open(self.file, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, self.size)
            os.fsync(file.fileno())
        os.sync()

    def scribble(self):
        """Nothing of an earlier restore is left: what is right afterwards was written."""
        pattern = b"\xa5" * data.MIB
        with open(self.file, "r+b") as file:
            for _ in range(self.size // data.MIB):
                file.write(pattern)
            file.flush()
            os.fsync(file.fileno())

    def change(self, pieces):
        """Inverts MiB pieces: what is there differs from what was there for certain."""
        invert = bytes(255 - value for value in range(256))
        with open(self.file, "r+b", buffering=0) as file:
            for offset in pieces:
                piece = os.pread(file.fileno(), data.MIB, offset)
                os.pwrite(file.fileno(), piece.translate(invert), offset)
            os.fsync(file.fileno())


@contextlib.contextmanager
def alone():
    """Two of these at once would measure each other."""
    with open(LOCK, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"bench: another one runs: it holds {file.name}") from None
        for stale in (RAM_FILE, DISK_FILE):
            system.detach_stale(stale)
        yield


@contextlib.contextmanager
def _file(path, size):
    """A file that is there as long as the context."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    system.need_space(path.parent, size)
    with open(path, "wb") as file:
        file.truncate(size)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def ram():
    """A loop device over a file in memory, all of whose pages were written once."""
    with _file(RAM_FILE, data.DISK_SIZE) as file, system.loop(file) as device:
        target = Target("ram", file, data.DISK_SIZE, pathlib.Path(device))
        target.scribble()
        yield target


@contextlib.contextmanager
def disk():
    """A file on the disk, all of whose blocks were written once."""
    with _file(DISK_FILE, data.DISK_SIZE) as file:
        target = Target("file", file, data.DISK_SIZE, file)
        target.scribble()
        yield target


@contextlib.contextmanager
def sparse():
    """A file that is not there yet: v2p makes it, as large as the image says."""
    path = DISK_FILE.with_name("target-sparse")
    try:
        yield Target("sparse", path, 0, path)
    finally:
        path.unlink(missing_ok=True)
