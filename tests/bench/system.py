"""What has to be put away again: loop devices, mounts; and programs run for their effect."""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile


def call(*argv, **kwargs):
    """Runs a program and returns its output; what it says is shown only if it fails."""
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with status {done.returncode}:\n"
                           f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def need_space(folder, size):
    free = shutil.disk_usage(folder).free
    if free < size:
        raise SystemExit(f"bench: {folder} has {free >> 20} MiB free, {size >> 20} are needed")


@contextlib.contextmanager
def loop(path, offset=0, size=0, *options):
    """A loop device over (a part of) a file."""
    device = call("losetup", "--find", "--show", f"--offset={offset}", f"--sizelimit={size}",
                  *options, path).strip()
    try:
        yield device
    finally:
        call("losetup", "-d", device)


@contextlib.contextmanager
def mount(device, folder, options):
    folder.mkdir(exist_ok=True)
    try:
        call("mount", "-t", "ext4", "-o", options, device, folder)
        try:
            yield folder
        finally:
            call("umount", folder)
    finally:
        folder.rmdir()


def detach_stale(path):
    """Puts away the loop devices that a killed run left over a file."""
    for device in call("losetup", "--noheadings", "--raw", "--output=NAME", "-j", path).split():
        call("losetup", "-d", device)


def temporary_folder(stack):
    """A folder that is gone when the stack is closed."""
    return pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="v2p-bench-")))
