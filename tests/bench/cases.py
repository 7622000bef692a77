"""What is measured, and what is required of it."""

import dataclasses

import programs as p


@dataclasses.dataclass(frozen=True)
class Case:
    """A row of CASES: programs that restore one image in turn, on each of the targets."""
    name: str
    image: str                  # of data.IMAGES
    format: str                 # QEMU's name for it
    programs: tuple
    raw: str = "raw"            # the image of data.IMAGES with the same content
    bmap: str | None = None
    written: str = "data"       # what the limit is for: all "data" of raw, or blocks in "used"
    targets: tuple = ("ram", "file")
    is_in_order: bool = False   # each program goes on with what the one before left
    changed: tuple = ()         # names of programs that find 5 % of the data changed
    over_http: tuple = ()       # names of programs that read the image from a web server


_COPIES = (p.COPY, p.COPY_VERIFIED, p.DEFAULT)
_THROUGH_QEMU = (p.QEMU_IMG, p.NBDCOPY)
_RAW = (p.QEMU_IMG, p.NBDCOPY_FILE, p.DD, p.BMAPTOOL)
_USED = (p.USED, p.USED_VERIFIED)
_HTTP = dataclasses.replace(p.COPY, name="v2p over HTTP")

CASES = [
    Case("qcow2-zlib", "qcow2-zlib", "qcow2", _COPIES + _THROUGH_QEMU),
    Case("qcow2-zstd", "qcow2-zstd", "qcow2", _COPIES + _THROUGH_QEMU),
    Case("qcow2-plain", "qcow2-plain", "qcow2", _COPIES + _THROUGH_QEMU),
    Case("raw", "raw", "raw", _COPIES + _RAW, bmap="raw-bmap"),
    Case("vmdk-stream", "vmdk-stream", "vmdk", _COPIES + _THROUGH_QEMU),
    Case("aged-raw", "aged", "raw", _USED + _RAW + (p.PARTCLONE,), raw="aged", bmap="aged-bmap",
         written="used"),
    Case("aged-qcow2", "aged-qcow2", "qcow2", _USED + _THROUGH_QEMU, raw="aged", written="used"),
    Case("reimage", "qcow2-plain", "qcow2",
         (p.FULL, p.RESUME, p.FULL_UNVERIFIED, p.RESUME_UNVERIFIED), is_in_order=True,
         changed=(p.RESUME.name, p.RESUME_UNVERIFIED.name)),
    Case("reimage-map", "qcow2-zstd", "qcow2",
         (p.FULL, p.RESUME_MAP, p.FULL_UNVERIFIED, p.RESUME_MAP_UNVERIFIED), is_in_order=True,
         bmap="qcow2-zstd-bmap", changed=(p.RESUME_MAP.name, p.RESUME_MAP_UNVERIFIED.name)),
    Case("http", "qcow2-zstd", "qcow2", (p.COPY, _HTTP), targets=("ram",),
         over_http=(_HTTP.name,)),
    # What counts is memory: the same content on a small disk and on a huge one.
    Case("memory", "qcow2-zstd", "qcow2", (p.FULL,), targets=("sparse",)),
    Case("memory-1TiB", "huge", "qcow2", (p.FULL,), targets=("sparse",)),
]


SHARE_OF_LIMIT = 0.85


@dataclasses.dataclass(frozen=True)
class Requirement:
    """A row of REQUIREMENTS."""
    case: str
    what: str               # as it is printed; {0}, {1}: names
    measure: str            # a function of judge.py, which compares what is in names
    at_least: float | None = None
    at_most: float | None = None
    names: tuple = ()


def _peers(case, at_least, program=p.COPY):
    return Requirement(case, "best peer : {0}", "times_best_peer", at_least, names=(program.name,))


def _limit(case):
    return Requirement(case, "limit : {0}", "share_of_limit", SHARE_OF_LIMIT, names=(p.COPY.name,))


def _read_back(case, without=p.COPY, verified=p.COPY_VERIFIED):
    return Requirement(case, "{0} : {1}", "time_ratio", at_most=1.6,
                       names=(verified.name, without.name))


def _faster(case, slow, fast, at_least):
    return Requirement(case, "{0} : {1}", "time_ratio", at_least, names=(slow.name, fast.name))


REQUIREMENTS = [
    _peers("qcow2-zlib", 3.5),
    _peers("qcow2-zstd", 2.0),
    _peers("qcow2-plain", 1.0),
    _limit("qcow2-plain"),
    _peers("raw", 1.0),
    _limit("raw"),
    _peers("vmdk-stream", 3.0),
    _peers("aged-raw", 1.8, p.USED),
    _peers("aged-qcow2", 1.8, p.USED),
    _faster("reimage", p.FULL, p.RESUME, 3.0),
    _faster("reimage", p.FULL_UNVERIFIED, p.RESUME_UNVERIFIED, 3.0),
    _faster("reimage-map", p.FULL, p.RESUME_MAP, 3.0),
    _faster("reimage-map", p.FULL_UNVERIFIED, p.RESUME_MAP_UNVERIFIED, 3.0),
    _read_back("qcow2-zlib"),
    _read_back("qcow2-zstd"),
    _read_back("qcow2-plain"),
    _read_back("raw"),
    _read_back("vmdk-stream"),
    _faster("http", p.COPY, _HTTP, 0.9),
    Requirement("memory", "peak memory, MiB", "peak_mib", at_most=64),
    Requirement("memory-1TiB", "peak memory, MiB", "peak_mib", at_most=64),
    Requirement("memory-1TiB", "more memory than {0}, MiB", "peak_growth_mib", at_most=4,
                names=("memory",)),
    Requirement("*", "peak memory, MiB", "peak_mib", at_most=64),
]


def find(name):
    for case in CASES:
        if case.name == name:
            return case
    raise KeyError(f"no case named {name}: there are {' '.join(case.name for case in CASES)}")
