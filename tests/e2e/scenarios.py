"""How a cell is run: an image booted as it is, or restored from the rescue medium and then booted."""

import dataclasses
import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import threading

import checks
import golden
import machine
import paths
import qemu as qemu_supply

MIB = 1 << 20
PROFILE = """\
[Match]
product={product}

[Image]
path={images}/golden-{image}.qcow2

[Disk]
rule={rule}

[Adapt]
initramfs=list

[Network]
mode=dhcp
{more}
[After]
action=poweroff
"""


REFUSED = "status 1"


@dataclasses.dataclass
class Result:
    """What came of a cell. It passed if nothing is in `complaints`."""
    complaints: list = dataclasses.field(default_factory=list)
    times: dict = dataclasses.field(default_factory=dict)   # what -> seconds
    marker: str = ""
    report: dict = None     # what v2p left on the restored system


class Failure(Exception):
    """The cell ended where it must not; the message says how."""


def run(qemu, cell, echo=None):
    """Runs a cell and returns its Result. `echo` is called with each line of the serial console."""
    result = Result()
    folder = workplace(cell)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        {"boot": _boot_image, "restore": _restore,
         "medium": _medium_alone}[cell.kind](qemu, cell, folder, result, echo)
    except Failure as failure:
        result.complaints.append(str(failure))
    return result


def workplace(cell):
    return paths.WORK / cell.name


def clean(cell):
    shutil.rmtree(workplace(cell), ignore_errors=True)


def _log(cell, phase):
    return paths.LOGS / f"{cell.name}-{phase}.log"


def _variables(hardware, folder, source=qemu_supply.OVMF_VARS):
    """The machine's variable store: a new machine's is empty, and is kept between its boots."""
    if hardware.firmware != "uefi":
        return None
    store = folder / "vars.fd"
    if not store.exists():
        shutil.copy(source, store)
    return store


def _boot_image(qemu, cell, folder, result, echo):
    """Boots an overlay over the golden image, so that the image stays as it was made."""
    image = golden.build(qemu, cell.image)
    overlay = folder / "disk.qcow2"
    qemu.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", image / "disk.qcow2",
             overlay)
    own = golden.IMAGES[cell.image].hardware == cell.hardware
    store = _variables(cell.hardware, folder,
                       image / "vars.fd" if own else qemu_supply.OVMF_VARS)
    args = machine.hardware_args(cell.hardware, f"file={overlay},format=qcow2", store)
    log = _log(cell, "boot")
    with machine.Machine(qemu, args, log, echo) as vm:
        event = vm.wait("marker", cell.expect)
        result.times["boot"] = event.seconds
        _expect(vm, event, cell.expect, log)
    if event.kind == "marker":
        result.marker = event.text
        result.complaints += checks.booted(cell, checks.parse(event.text))


def _expect(vm, event, kind, log):
    if event.kind == kind:
        return
    picture = log.with_suffix(".png")
    vm.screenshot(picture)
    raise Failure(f"ended with {event.kind} after {event.seconds:.0f} s, not with {kind}"
                  f" ({event.text or vm.last_line()}; {os.path.relpath(log)})")


def _restore(qemu, cell, folder, result, echo):
    target = folder / "target.raw"
    with open(target, "wb") as file:
        file.truncate(cell.disk_size)
    _run_medium(qemu, cell, folder, result, echo)
    if cell.expect != "marker":
        result.complaints += _touched(target) if cell.expect == REFUSED else _half_bootable(target)
        return
    result.report = read_report(qemu, cell)
    boot_restored(qemu, cell, result, echo)


def _medium_alone(qemu, cell, folder, result, echo):
    """The medium without a profile: shows what it found, and offers a shell."""
    target = folder / "target.raw"
    with open(target, "wb") as file:
        file.truncate(cell.disk_size)
    args = machine.hardware_args(cell.hardware, _target_backend(cell, folder),
                                 _variables(cell.hardware, folder)) + _medium_args(cell)
    log = _log(cell, "medium")
    with machine.Machine(qemu, args, log, echo) as vm:
        event = vm.wait("ready")
        _expect(vm, event, "ready", log)
        result.times["medium"] = event.seconds
        _expect(vm, vm.wait("rescue shell"), "rescue shell", log)
        vm.screenshot(log.with_suffix(".png"))
        _expect_text(vm, cell)


class _Server:
    """Serves the folder over HTTP on a port of the host's loopback, which the guest sees as 10.0.2.2."""

    def __init__(self, folder):
        handler = functools.partial(_RangeHandler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self._server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class _RangeHandler(http.server.SimpleHTTPRequestHandler):
    """As the library's, with single byte ranges (RFC 9110, section 14), which it lacks."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send_head(self):
        path = self.translate_path(self.path)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted or not os.path.isfile(path):
            return super().send_head()
        size = os.path.getsize(path)
        first = int(wanted[1])
        last = min(int(wanted[2] or size - 1), size - 1)
        if first > last:
            self.send_error(416)
            return None
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Last-Modified", self.date_time_string(os.path.getmtime(path)))
        self.end_headers()
        file = open(path, "rb")
        file.seek(first)
        self._left = last - first + 1
        return file

    def copyfile(self, source, outputfile):
        left, self._left = getattr(self, "_left", None), None
        if left is None:
            super().copyfile(source, outputfile)
            return
        while left and (piece := source.read(min(left, MIB))):
            outputfile.write(piece)
            left -= len(piece)


def _touched(target):
    """Complaints about a disk whose restore was refused: nothing was written to it."""
    if target.stat().st_blocks:
        yield "the refused restore wrote to the disk"


def _half_bootable(target):
    """Complaints about a disk whose restore failed: firmware and kernels must see nothing on it."""
    with open(target, "rb") as file:
        start = file.read(1024)
    if start[510:512] == b"\x55\xaa" or start[512:520] == b"EFI PART":
        yield "the failed restore left a partition table"


def _run_medium(qemu, cell, folder, result, echo):
    """The first run: the rescue medium restores onto the target disk."""
    data = _data_medium(qemu, cell, folder)
    args = machine.hardware_args(cell.hardware, _target_backend(cell, folder),
                                 _variables(cell.hardware, folder))
    args += ["-drive", f"if=none,id=data,format=raw,cache=unsafe,file={data}",
             "-device", "usb-storage,bus=usb.0,drive=data,serial=V2PDATA,removable=on"]
    log = _log(cell, "restore")
    status = "0" if cell.expect == "marker" else cell.expect.split()[1]
    try:
        with _Server(folder) as server, \
             machine.Machine(qemu, args + _medium_args(cell, server.port), log, echo) as vm:
            event = vm.wait("ready")
            _expect(vm, event, "ready", log)
            result.times["medium"] = event.seconds
            event = vm.wait("finished")
            _expect(vm, event, "finished", log)
            result.times["restore"] = event.seconds - result.times["medium"]
            if event.text != status:
                vm.wait("rescue shell")
                vm.screenshot(log.with_suffix(".png"))
                raise Failure(f"restore ended with status {event.text}, not {status}"
                              f" ({os.path.relpath(log)})")
            event = vm.wait("exit") if status == "0" else vm.wait("rescue shell")
            _expect(vm, event, "exit" if status == "0" else "rescue shell", log)
            _expect_text(vm, cell)
    finally:
        data.unlink()


def _expect_text(vm, cell):
    if cell.says and not any(re.search(cell.says, line) for _, line in vm.lines):
        raise Failure(f"nothing on the console matches {cell.says!r}")


def boot_restored(qemu, cell, result, echo=None):
    """The second run: the same machine, without medium and data disk, boots from its own disk."""
    log = _log(cell, "boot")
    with machine.Machine(qemu, restored_args(cell), log, echo) as vm:
        event = vm.wait("marker")
        _expect(vm, event, "marker", log)
        lines = vm.lines
        vm.screenshot(log.with_suffix(".png"))
    result.times["first boot"] = event.seconds
    result.marker = event.text
    result.complaints += checks.restored(cell, checks.parse(event.text), lines)


def restored_args(cell):
    """QEMU's arguments for a cell's machine after the restore."""
    folder = workplace(cell)
    return machine.hardware_args(cell.hardware, f"file={folder / 'target.raw'},format=raw",
                                 _variables(cell.hardware, folder))


def _target_backend(cell, folder):
    target = folder / "target.raw"
    if not cell.blkdebug:
        # Zeroes that the restore writes take no room on the host.
        return f"file={target},format=raw,discard=unmap,detect-zeroes=unmap"
    rules = folder / "blkdebug.conf"
    rules.write_text(cell.blkdebug)
    return f"file=blkdebug:{rules}:{target},format=raw,werror=report,rerror=report"


def _medium_args(cell, port=0):
    for name in ("vmlinuz", "initrd.img") if cell.medium == "kernel" else ("v2p-rescue.iso",):
        if not (paths.MEDIUM / name).exists():
            raise Failure(f"no rescue medium ({name}): run `./dev media` first")
    if cell.medium == "kernel":
        return ["-kernel", str(paths.MEDIUM / "vmlinuz"),
                "-initrd", str(paths.MEDIUM / "initrd.img"), "-append",
                "console=tty0 console=ttyS0,115200 mitigations=off "
                f"v2p.profile={_profile_address(cell, port)}"]
    iso = f"if=none,id=medium,format=raw,readonly=on,file={paths.MEDIUM / 'v2p-rescue.iso'}"
    device = {"cdrom": "ide-cd,drive=medium,bus=ide.1,bootindex=0",
              "usb": "usb-storage,bus=usb.0,drive=medium,bootindex=0"}[cell.medium]
    return ["-drive", iso, "-device", device]


def _profile_address(cell, port):
    if cell.profile_by == "url":
        return f"http://10.0.2.2:{port}/{cell.name}.conf"
    return f"/run/v2p/data/profiles/{cell.name}.conf"


def _data_medium(qemu, cell, folder):
    """A stick with the image and the cell's profile, as a person would carry it to the machine."""
    image = golden.build(qemu, cell.image) / "disk.qcow2"
    tree = folder / "data"
    for sub in ("images", "profiles", "profiles.d"):
        (tree / sub).mkdir(parents=True)
    by_url = cell.profile_by == "url"
    name = f"golden-{cell.image}.qcow2"
    (folder / name if by_url else tree / "images" / name).hardlink_to(image)
    more = f"{cell.profile}\n" if cell.profile else ""
    profile = PROFILE.format(product=cell.hardware.product, image=cell.image, more=more,
                             rule=cell.rule,
                             images="." if by_url else "../images")
    # By the kernel command line where there is one, else found by matching the machine.
    place = "profiles" if cell.medium == "kernel" else "profiles.d"
    ((folder if by_url else tree / place) / f"{cell.name}.conf").write_text(profile)
    if cell.pack:
        golden.build(qemu, "a")     # its packages are kept
        _build_pack(cell, tree / "packs" / "kernel", folder)
    data = folder / "data.ext4"
    size = sum(file.stat().st_size for file in tree.rglob("*") if file.is_file()) + 96 * MIB
    with open(data, "wb") as file:
        file.truncate(size)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", "V2P-DATA", "-m", "0", "-d", tree,
                    "-E", "lazy_itable_init=0,lazy_journal_init=0", data], check=True)
    shutil.rmtree(tree)
    return data


def _build_pack(cell, where, folder):
    """A driver pack, as an administrator makes it of packages that were fetched before."""
    packages = folder / "packages"
    packages.mkdir()
    found = [file for file in golden.packages("bookworm").glob(cell.pack)
             if "cloud" not in file.name]
    if not found:
        raise Failure(f"no package {cell.pack} was kept when the golden images were made")
    shutil.copy(max(found), packages)
    where.parent.mkdir(exist_ok=True)
    done = subprocess.run([paths.BUILD / "v2p", "pack", "build", where, "--packages", packages],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"v2p pack build: {done.stderr.strip()}")
    shutil.rmtree(packages)


def read_report(qemu, cell):
    """/var/lib/v2p/report.json, left in the restored system; None where it cannot be read.

    Read from the disk file with debugfs, without mounting what came out of an image.
    """
    offset = (golden.build(qemu, cell.image) / "root-offset").read_text().strip()
    done = subprocess.run(["debugfs", "-R", "cat /var/lib/v2p/report.json",
                           f"{workplace(cell) / 'target.raw'}?offset={offset}"],
                          capture_output=True)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return None
