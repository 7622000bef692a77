"""Is what a program wrote what the image holds? Outside of the timing."""

import contextlib

import data
import programs
import system


class Wrong(Exception):
    """The target does not hold the image; the message says where it differs."""


def check(kind, raw, target):
    """kind: "bytes", the whole disk; "files", what the file system uses of it."""
    try:
        if kind == "files" and "--used-blocks" in programs.v2p_options():
            _compare_files(raw, target)
        else:
            system.call("cmp", f"--bytes={data.DISK_SIZE}", raw, target.file)
    except RuntimeError as error:
        raise Wrong(str(error)) from None


def _compare_files(raw, target):
    system.call("cmp", f"--bytes={data.ROOT_OFFSET}", raw, target.file)
    part = (data.ROOT_OFFSET, data.ROOT_SIZE, "--read-only")
    with contextlib.ExitStack() as inner:
        trees = []
        for number, file in enumerate((raw, target.file)):
            device = inner.enter_context(system.loop(file, *part))
            system.call("e2fsck", "-fn", device)
            folder = system.temporary_folder(inner) / str(number)
            trees.append(inner.enter_context(system.mount(device, folder, "ro,noload")))
        system.call("diff", "--recursive", "--brief", "--no-dereference", *trees)
