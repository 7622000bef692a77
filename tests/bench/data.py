"""Builds what is measured with: one Debian file tree, in the formats that are compared.

Each file is below build/bench/data as NAME-KEY.SUFFIX, where KEY stands for all that it was made
from; it is made again when that changes, and the old one is removed.
"""

import contextlib
import dataclasses
import inspect
import os
import pathlib
import shutil
import struct
import subprocess
import time

import paths
import qemu
import system

DATA = paths.BUILD / "bench" / "data"
SUITE = "bookworm"
# What a workstation has: many small files, programs, fonts, and archives that compress no further.
PACKAGES = ["linux-image-amd64", "gnome-core", "libreoffice", "gimp", "build-essential",
            "default-jdk-headless", "texlive-latex-extra", "firefox-esr", "python3-scipy"]
MIB = 1 << 20
DISK_SIZE = 6144 * MIB
ROOT_OFFSET = MIB
ROOT_SIZE = DISK_SIZE - ROOT_OFFSET
HUGE_SIZE = 1 << 40
UUID = "be000000-0000-4000-8000-0000000000c1"


@dataclasses.dataclass(frozen=True)
class Image:
    """A row of IMAGES: how it is made from another one."""
    name: str
    suffix: str
    base: str | None    # the image it is made from
    make: object        # function(base, output)


def _make_raw(_, output):
    """MBR with one ext4, filled by mke2fs: no mount, no unused block was ever written."""
    tree = output.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    # Unpacked, not configured: the same files, but for what maintainer scripts make.
    system.call("nice", "mmdebstrap", "--mode=root", "--variant=extract", "--components=main",
                f"--include={','.join(PACKAGES)}", "--customize-hook=rm -rf \"$1\"/dev/*", SUITE,
                tree, f"deb {qemu.debian_mirror()} {SUITE} main", stdin=subprocess.DEVNULL)
    with open(output, "wb") as file:
        file.truncate(DISK_SIZE)
    system.call("sfdisk", "-q", output, input="label: dos\nlabel-id: 0xbebebebe\n"
                f"start={ROOT_OFFSET // 512}, type=83, bootable\n")
    system.call("mke2fs", "-q", "-F", "-t", "ext4", "-U", UUID, "-d", tree, "-E",
                f"offset={ROOT_OFFSET},lazy_itable_init=0,lazy_journal_init=0", output,
                f"{ROOT_SIZE // 1024}k")
    shutil.rmtree(tree)


def _make_aged(base, output):
    """Half of the files are deleted; their blocks keep what they held, as without trim."""
    system.call("cp", "--sparse=always", base, output)
    with contextlib.ExitStack() as stack:
        device = stack.enter_context(system.loop(output, ROOT_OFFSET, ROOT_SIZE))
        tree = stack.enter_context(system.mount(device, output.with_suffix(".mnt"), "rw,nodiscard"))
        files = []
        for folder, _, names in os.walk(tree):
            for path in (os.path.join(folder, name) for name in names):
                status = os.lstat(path)
                if status.st_blocks and os.path.isfile(path) and not os.path.islink(path):
                    files.append((status.st_size, path))
        # By size, every second one: half of the bytes go, all over the disk.
        for _, path in sorted(files)[::2]:
            os.unlink(path)


def _convert(suffix, *options):
    def make(base, output):
        system.call("nice", "qemu-img", "convert", "-f", "raw", "-O", suffix, "-m", "16", *options,
                    base, output)
    make.recipe = repr((suffix, options))
    return make


def _make_huge(base, output):
    """The same files on a disk of 1 TiB."""
    system.call("cp", base, output)
    system.call("qemu-img", "resize", "-q", "-f", "qcow2", output, str(HUGE_SIZE))


def _make_bmap(base, output):
    system.call("bmaptool", "-q", "create", base, "-o", output)


def _make_checksum(base, output):
    """v2p's own block map, for re-imaging."""
    with open(output, "wb") as file:
        subprocess.run([paths.BUILD / "v2p", "checksum", "--progress", "none", base], stdout=file,
                       check=True)


IMAGES = {image.name: image for image in [
    Image("raw", "raw", None, _make_raw),
    Image("raw-bmap", "bmap", "raw", _make_bmap),
    Image("qcow2-plain", "qcow2", "raw", _convert("qcow2")),
    Image("qcow2-zlib", "qcow2", "raw", _convert("qcow2", "-c")),
    Image("qcow2-zstd", "qcow2", "raw", _convert("qcow2", "-c", "-o", "compression_type=zstd")),
    Image("qcow2-zstd-bmap", "bmap", "qcow2-zstd", _make_checksum),
    Image("vmdk-stream", "vmdk", "raw", _convert("vmdk", "-o", "subformat=streamOptimized")),
    Image("huge", "qcow2", "qcow2-zstd", _make_huge),
    Image("aged", "raw", "raw", _make_aged),
    Image("aged-bmap", "bmap", "aged", _make_bmap),
    Image("aged-qcow2", "qcow2", "aged", _convert("qcow2")),
]}


def _recipe(image):
    if image.base is None:
        return inspect.getsource(image.make) + repr((SUITE, PACKAGES, DISK_SIZE, ROOT_OFFSET, UUID))
    recipe = getattr(image.make, "recipe", None) or inspect.getsource(image.make)
    return _recipe(IMAGES[image.base]) + recipe + image.suffix


def build(name):
    """The path of an image, made if it is not there yet."""
    image = IMAGES[name]
    output = DATA / f"{name}-{paths.digest(_recipe(image))}.{image.suffix}"
    if output.exists():
        return output
    base = build(image.base) if image.base else None
    DATA.mkdir(parents=True, exist_ok=True)
    for old in DATA.glob(f"{name}-{'[0-9a-f]' * 12}.*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    since = time.monotonic()
    print(f"bench: making {name}", flush=True)
    unfinished = output.with_suffix(f".{image.suffix}.part")
    unfinished.unlink(missing_ok=True)
    image.make(base, unfinished)
    unfinished.rename(output)
    print(f"bench: {name}: {output.stat().st_blocks * 512 / MIB:.0f} MiB on disk "
          f"({time.monotonic() - since:.0f} s)", flush=True)
    return output


def data_ranges(path):
    """Where a sparse file holds data: (offset, length) pairs in order."""
    ranges = []
    with open(path, "rb") as file:
        size, end = os.fstat(file.fileno()).st_size, 0
        while end < size:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            ranges.append((start, end - start))
    return ranges


def data_bytes(path):
    return sum(length for _, length in data_ranges(path))


def used_bytes(path):
    """What the ext4 of a raw image has in use: ext4's superblock, blocks less free blocks."""
    with open(path, "rb") as file:
        file.seek(ROOT_OFFSET + 1024)
        block = file.read(1024)
    field = lambda offset: struct.unpack_from("<I", block, offset)[0]
    blocks = field(0x04) | field(0x150) << 32
    free = field(0x0c) | field(0x158) << 32
    return (blocks - free) << (10 + field(0x18))


def changed_pieces(path, share):
    """Offsets of 1 MiB pieces of data, spread evenly, that are together `share` of the data."""
    pieces = [offset for start, length in data_ranges(path)
              for offset in range(-(-start // MIB) * MIB, start + length - MIB + 1, MIB)
              if offset >= ROOT_OFFSET]
    return pieces[::round(1 / share)]
