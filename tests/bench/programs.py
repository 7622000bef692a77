"""The programs that are compared: how each is called for a case."""

import dataclasses
import functools
import json
import subprocess

import data
import paths
import system

V2P = paths.BUILD / "v2p"
REFUSED = 1             # v2p's exit status: nothing was written
MESSAGE = 120           # characters of what a program says


@dataclasses.dataclass(frozen=True)
class Job:
    """What one program is to do."""
    image: object           # pathlib.Path of the image, or a URL
    format: str             # QEMU's name for it
    target: object          # targets.Target
    bmap: object = None     # pathlib.Path, where the case has one


class NotThere(Exception):
    """This v2p cannot do that; the message says what is missing."""


@dataclasses.dataclass(frozen=True)
class Program:
    """command(job, stack) returns the argv; what it needs beside is put on the ExitStack."""
    name: str
    command: object
    proof: str | None = None    # of v2p, see proof.py; peers are not checked

    @property
    def is_peer(self):
        return self.proof is None


def _qemu_img(job, _):
    return ["qemu-img", "convert", "-n", "-W", "-m", "16", "-t", "none", "-f", job.format, "-O",
            "raw", job.image, job.target.path]


def _nbdcopy(job, _):
    # Any number of clients: nbdcopy then uses several connections.
    return ["nbdcopy", "--flush", "--", "[", "qemu-nbd", "-r", "-e", "0", "-f", job.format,
            job.image, "]", job.target.path]


def _nbdcopy_file(job, _):
    return ["nbdcopy", "--flush", "--", job.image, job.target.path]


def _dd(job, _):
    return ["dd", f"if={job.image}", f"of={job.target.path}", "bs=1M", "oflag=direct",
            "conv=notrunc,fsync"]


def _bmaptool(job, _):
    return ["bmaptool", "copy", "--no-verify", "--bmap", job.bmap, job.image, job.target.path]


def _partclone(job, stack):
    part = (data.ROOT_OFFSET, data.ROOT_SIZE)
    source = stack.enter_context(system.loop(job.image, *part, "--read-only"))
    direct = "off" if job.target.is_device else "on"
    target = stack.enter_context(system.loop(job.target.file, *part, f"--direct-io={direct}"))
    log = system.temporary_folder(stack) / "partclone.log"
    return ["partclone.ext4", "-b", "-q", "-L", log, "-s", source, "-o", target]


QEMU_IMG = Program("qemu-img", _qemu_img)
NBDCOPY = Program("nbdcopy", _nbdcopy)
NBDCOPY_FILE = Program("nbdcopy", _nbdcopy_file)
DD = Program("dd", _dd)
BMAPTOOL = Program("bmaptool", _bmaptool)
PARTCLONE = Program("partclone", _partclone)


@functools.cache
def v2p_options():
    """The options that this v2p knows."""
    text = subprocess.run([V2P, "restore", "--help"], capture_output=True, text=True).stdout
    words = {word.strip(",") for word in text.split() if word.startswith("--")}
    both = {word for word in words if word.startswith("--[no-]")}
    return words | {word.replace("[no-]", how) for word in both for how in ("no-", "")}


@dataclasses.dataclass(frozen=True)
class _Restore:
    """One way to call v2p restore."""
    options: tuple = ()     # passed
    if_known: tuple = ()    # passed to a v2p that knows them; one that does not acts like that
    opposite: tuple = ()    # not passed; a v2p that does not know them cannot do the contrary
    with_map: bool = False  # --checksum and the case's block map

    def __call__(self, job, _):
        wanted = self.options + self.opposite
        missing = [option for option in wanted if option not in v2p_options()]
        if missing:
            raise NotThere(f"v2p restore has no {' '.join(missing)}")
        known = [option for option in self.if_known if option in v2p_options()]
        checksum = ["--checksum", job.bmap] if self.with_map else []
        return [V2P, "restore", job.image, job.target.path, "--no-adapt", "--yes", "--progress",
                "none", *self.options, *known, *checksum]


def _v2p(name, proof, **options):
    return Program(name, _Restore(**options), proof)


COPY = _v2p("v2p", "bytes", if_known=("--no-verify", "--no-used-blocks"))
COPY_VERIFIED = _v2p("v2p, verified", "bytes", if_known=("--no-used-blocks",),
                     opposite=("--no-verify",))
DEFAULT = _v2p("v2p by default", "files", opposite=("--no-verify",))
USED = _v2p("v2p used blocks", "files", options=("--used-blocks",), if_known=("--no-verify",))
USED_VERIFIED = _v2p("v2p used blocks, verified", "files", options=("--used-blocks",),
                     opposite=("--no-verify",))
FULL = _v2p("v2p", "files")
RESUME = _v2p("v2p --resume", "files", options=("--resume",))
FULL_UNVERIFIED = _v2p("v2p, not verified", "files", if_known=("--no-verify",))
RESUME_UNVERIFIED = _v2p("v2p --resume, not verified", "files", options=("--resume",),
                         if_known=("--no-verify",))
RESUME_MAP = _v2p("v2p --resume, map", "files", options=("--resume",), with_map=True)
RESUME_MAP_UNVERIFIED = _v2p("v2p --resume, map, not verified", "files", options=("--resume",),
                             if_known=("--no-verify",), with_map=True)


def check_v2p_reads(job):
    """Raises NotThere where this v2p refuses the image; what else goes wrong shows in the run."""
    argv = [V2P, "restore", "--dry-run", "--no-adapt", job.image, job.target.path]
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True)
    if done.returncode == REFUSED:
        raise NotThere(done.stderr.strip().split("\n")[-1].removeprefix("v2p: ")[-MESSAGE:])


def limit_seconds(target, size):
    """fio writes as many bytes to the same target: the better of one job and two."""
    size = size // data.MIB * data.MIB
    half = size // 2 // data.MIB * data.MIB
    return min(_fio(target, [(0, size)]), _fio(target, [(0, half), (half, size - half)]))


def _fio(target, jobs):
    argv = ["fio", "--output-format=json", f"--filename={target.path}", "--rw=write", "--bs=1M",
            "--direct=1", "--ioengine=io_uring", "--iodepth=8", "--end_fsync=1",
            "--fallocate=none", "--allow_file_create=0"]
    for number, (offset, size) in enumerate(jobs):
        argv += [f"--name=job{number}", f"--offset={offset}", f"--size={size}"]
    told = json.loads(system.call(*argv))
    return max(job["write"]["runtime"] for job in told["jobs"]) / 1000
