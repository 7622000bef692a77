"""Builds the golden VM images: Debian as it is installed in a virtual machine.

Each is a folder below build/e2e/golden with `disk.qcow2`, `root-offset` (where the root file system
starts in the disk, bytes) and, for UEFI, the VM's variable store `vars.fd`. The files come from mmdebstrap, the disk is laid out without mounting anything, and what
only the running VM can make (GRUB in its place, an initramfs for just this hardware) is made by a
script that is booted once on the VM's own hardware.
"""

import dataclasses
import fcntl
import json
import pathlib
import shutil
import subprocess
import time

import machine
import paths
import qemu as qemu_supply

SOURCES = paths.HERE / "golden"
MIB = 1 << 20
PASSWORD = "v2p"
COMMON = ("systemd-sysv", "udev", "dbus", "zstd", "kmod", "iproute2", "e2fsprogs",
          "qemu-guest-agent", "login", "passwd")
KERNEL = ("linux-image-amd64", "initramfs-tools")
BIOS = ("grub-pc", "ifupdown", "isc-dhcp-client")
# Documentation and translations are of no interest to anybody here, and cost time in every cell.
EXCLUDES = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"]
ROOT_UUID_A = "a0000000-0000-4000-8000-0000000000a1"
SWAP_UUID_A = "a0000000-0000-4000-8000-0000000000c3"
ROOT_UUID_B = "b0000000-0000-4000-8000-0000000000a1"
BOOT_UUID_B = "b0000000-0000-4000-8000-0000000000b2"
SWAP_UUID_B = "b0000000-0000-4000-8000-0000000000c3"
ESP_ID_B = "B2B00E5F"


@dataclasses.dataclass(frozen=True)
class Image:
    """A row of IMAGES."""
    name: str
    hardware: machine.Hardware
    packages: tuple
    units: tuple            # enabled, as the VM's owner did
    size: int               # of the virtual disk, bytes
    root: str               # for the kernel of the finishing boot
    compression: str        # of the few compressed clusters
    files: tuple            # folders of golden/ that are laid over the tree, in order
    suite: str = "bookworm"

    @property
    def layout(self):
        """The way the disk is divided: that of image A or B."""
        return "b" if self.hardware.firmware == "uefi" else "a"


def _like_a(name, packages, number, files, suite="bookworm", size=2048 * MIB):
    """An image whose disk and names are those of A, with other packages."""
    hardware = machine.Hardware("pc", "bios", "virtio", "virtio-net-pci",
                                f"52:54:00:76:32:{number:02x}", nic_slot="addr=3",
                                disk_slot="addr=7", product=f"Virtual {name}", guest_agent=True)
    return Image(name, hardware, BIOS + packages, (), size, "/dev/vda2", "zlib", files, suite)


IMAGES = {image.name: image for image in (
    _like_a("a", KERNEL, 0x0a, ("common", "a")),
    Image("b", machine.Hardware("q35", "uefi", "virtio", "virtio-net-pci", "52:54:00:76:32:0b",
                                nic_slot="bus=port1", disk_slot="bus=port2",
                                product="Virtual b", guest_agent=True),
          KERNEL + ("grub-efi-amd64", "grub-efi-amd64-signed", "shim-signed", "efibootmgr", "lvm2",
                    "dosfstools"), ("systemd-networkd",), 3072 * MIB, "/dev/mapper/vg0-root",
          "zstd", ("common", "b")),
    _like_a("dracut", ("linux-image-amd64", "dracut"), 0x0c, ("common", "a", "dracut")),
    # The kernel for virtual machines: it has no driver for real controllers.
    _like_a("cloud", ("linux-image-cloud-amd64", "initramfs-tools"), 0x0d, ("common", "a"),
            size=1536 * MIB),
    _like_a("debian-11", KERNEL, 0x0e, ("common", "a"), "bullseye"),
    _like_a("debian-13", KERNEL, 0x0f, ("common", "a"), "trixie"),
)}


def build(qemu, name):
    """The folder of image `name`, made if it is not there yet."""
    image = IMAGES[name]
    key = paths.digest(*(SOURCES / part for part in image.files), pathlib.Path(__file__),
                       repr(image))
    folder = paths.E2E / "golden" / f"{name}-{key}"
    if (folder / "complete").exists():
        return folder
    for old in folder.parent.glob(f"{name}-{'[0-9a-f]' * len(key)}"):
        shutil.rmtree(old)
    work = folder / "work"
    work.mkdir(parents=True)
    clock = _Clock(f"golden {name}")
    tree = _make_tree(image, work)
    clock.step("files")
    disk = work / "disk.raw"
    with open(disk, "wb") as file:
        file.truncate(image.size)
    kernel = _split_boot_files(tree, work)
    root = {"a": _lay_out_a, "b": _lay_out_b}[image.layout](disk, tree, work)
    (folder / "root-offset").write_text(f"{root}\n")
    clock.step("disk")
    _finish(qemu, image, folder, disk, kernel)
    clock.step("finished on its own hardware")
    _to_qcow2(qemu, image, disk, folder / "disk.qcow2")
    shutil.rmtree(work)
    clock.step("qcow2")
    (folder / "complete").touch()
    return folder


class _Clock:
    def __init__(self, what):
        self._what, self._since = what, time.monotonic()
        print(f"e2e: making {what}", flush=True)

    def step(self, name):
        now = time.monotonic()
        print(f"e2e: {self._what}: {name} ({now - self._since:.0f} s)", flush=True)
        self._since = now


def _call(*argv, **kwargs):
    """Runs a program and returns its output; what it says is shown only if it fails."""
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with status {done.returncode}:\n"
                           f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def packages(suite):
    """Where the packages that images were made of are kept."""
    return paths.E2E / "packages" / suite


def _make_tree(image, work):
    tree = work / "tree"
    cache = packages(image.suite)
    cache.mkdir(parents=True, exist_ok=True)
    enable = f"systemctl --root=\"$1\" enable {' '.join(image.units)}" if image.units else "true"
    overlay = " ".join(f"{SOURCES / part}/." for part in image.files)
    hooks = [
        # The packages are kept, so that the second image and the next build fetch nothing.
        f"--setup-hook=mkdir -p \"$1\"/var/cache/apt/archives; cp -n {cache}/*.deb "
        "\"$1\"/var/cache/apt/archives/ 2>/dev/null || true",
        f"--customize-hook=cp -n \"$1\"/var/cache/apt/archives/*.deb {cache}/",
        f"--customize-hook=cp -a {overlay} \"$1\"/",
        f"--customize-hook=echo root:{PASSWORD} | chroot \"$1\" chpasswd",
        f"--customize-hook={enable}",
        "--customize-hook=systemctl --root=\"$1\" mask apt-daily.timer apt-daily-upgrade.timer "
        "dpkg-db-backup.timer e2scrub_all.timer",
        "--customize-hook=chown -R root:root \"$1\"/etc \"$1\"/finish",
    ]
    mirror = qemu_supply.debian_mirror()
    _call("nice", "mmdebstrap", "--mode=root", "--variant=minbase", "--skip=essential/unlink",
          "--components=main", f"--include={','.join(COMMON + image.packages)}",
          "--aptopt=Acquire::Languages \"none\"",
          *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDES), *hooks,
          image.suite, tree, f"deb {mirror} {image.suite} main", stdin=subprocess.DEVNULL)
    return tree


def _split_boot_files(tree, work):
    """Copies kernel and initramfs aside for the finishing boot; returns both paths."""
    kernel = max(tree.glob("boot/vmlinuz-*"))
    initrd = max(tree.glob("boot/initrd.img-*"))
    return [pathlib.Path(shutil.copy(file, work / file.name)) for file in (kernel, initrd)]


def _mke2fs(disk, offset, size, tree, uuid):
    _call("mke2fs", "-q", "-F", "-t", "ext4", "-U", uuid, "-d", tree, "-E",
          f"offset={offset},lazy_itable_init=0,lazy_journal_init=0", disk, f"{size // 1024}k")


def _copy_in(disk, offset, file):
    _call("dd", f"if={file}", f"of={disk}", "bs=64k", "conv=notrunc,sparse",
          f"oflag=seek_bytes", f"seek={offset}")


def _mkswap(disk, offset, size, uuid, work):
    file = work / "swap"
    with open(file, "wb") as handle:
        handle.truncate(size)
    _call("mkswap", "-U", uuid, file)
    _copy_in(disk, offset, file)
    file.unlink()


def _lay_out_a(disk, tree, work):
    swap = 128 * MIB
    root = MIB + swap
    _call("sfdisk", "-q", disk, input=f"label: dos\nlabel-id: 0xa0a0a0a0\n"
          f"start=1MiB, size={swap // 512}, type=82\nstart={root // 512}, type=83, bootable\n")
    _mkswap(disk, MIB, swap, SWAP_UUID_A, work)
    _mke2fs(disk, root, disk.stat().st_size - root, tree, ROOT_UUID_A)
    return root


def _lay_out_b(disk, tree, work):
    esp, boot = 128 * MIB, 256 * MIB
    pv = MIB + esp + boot
    _call("sfdisk", "-q", disk, input="label: gpt\n"
          f"start=1MiB, size={esp // 512}, type=U\n"
          f"start={(MIB + esp) // 512}, size={boot // 512}, type=L\n"
          f"start={pv // 512}, type=V\n")
    file = work / "esp"
    with open(file, "wb") as handle:
        handle.truncate(esp)
    _call("mkfs.vfat", "-F", "32", "-i", ESP_ID_B, file)
    _copy_in(disk, MIB, file)
    (tree / "boot").rename(work / "boot")
    (tree / "boot").mkdir()
    (work / "boot/efi").mkdir(exist_ok=True)
    _mke2fs(disk, MIB + esp, boot, work / "boot", BOOT_UUID_B)
    # Down to the GPT's last usable sector, in whole MiB.
    volumes = _make_lvm(disk, pv, disk.stat().st_size - pv - MIB)
    _mke2fs(disk, *volumes["root"], tree, ROOT_UUID_B)
    _mkswap(disk, *volumes["swap"], SWAP_UUID_B, work)
    return volumes["root"][0]


def _make_lvm(disk, offset, size):
    """Makes vg0 with root and swap; returns the place of each in the disk: name -> (offset, size).

    Metadata alone is written: neither device-mapper nor LVM's own activation is needed.
    """
    loop = _call("losetup", "--find", "--show", f"--offset={offset}", f"--sizelimit={size}",
                 disk).strip()
    try:
        # udev takes this lock before it looks at a device: it must not activate the new group.
        with open(loop, "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            config = (f'devices{{filter=["a|^{loop}$|","r|.*|"] use_devicesfile=0}} '
                      "global{activation=0} backup{backup=0 archive=0} "
                      "activation{udev_sync=0 udev_rules=0}")
            _call("pvcreate", "-q", "--config", config, loop)
            _call("vgcreate", "-q", "--config", config, "vg0", loop)
            for name, length in (("root", "-l80%VG"), ("swap", "-L128M")):
                _call("lvcreate", "-q", "--config", config, "-an", "-Zn", "-Wn", "-n", name, length,
                      "vg0")
            report = json.loads(_call(
                "lvs", "--config", config, "--reportformat", "json", "--units", "b", "--nosuffix",
                "-o", "lv_name,seg_pe_ranges,vg_extent_size,seg_size", "vg0"))
            start = int(_call("pvs", "--config", config, "--noheadings", "--units", "b",
                              "--nosuffix", "-o", "pe_start", loop))
    finally:
        _call("losetup", "-d", loop)
    places = {}
    for row in report["report"][0]["lv"]:
        extent = int(row["seg_pe_ranges"].rsplit(":", 1)[1].split("-")[0])
        places[row["lv_name"]] = (offset + start + extent * int(row["vg_extent_size"]),
                                  int(row["seg_size"]))
    return places


def _finish(qemu, image, folder, disk, kernel):
    """Boots `finish` as init on the VM's own hardware."""
    variables = None
    if image.hardware.firmware == "uefi":
        variables = folder / "vars.fd"
        shutil.copy(qemu_supply.OVMF_VARS, variables)
    args = machine.hardware_args(image.hardware, f"file={disk},format=raw,discard=unmap", variables)
    args += ["-kernel", kernel[0], "-initrd", kernel[1], "-append",
             f"root={image.root} ro init=/finish console=ttyS0,115200 mitigations=off"]
    log = paths.LOGS / f"golden-{image.name}.log"
    with machine.Machine(qemu, [str(arg) for arg in args], log) as vm:
        event = vm.wait("golden")
        if (event.kind, event.text) != ("golden", "0"):
            raise RuntimeError(f"golden {image.name}: {event.kind} {event.text}, see {log}")
        event = vm.wait("exit")
        if event.kind != "exit":
            raise RuntimeError(f"golden {image.name}: no power-off: {event.kind}, see {log}")


def _to_qcow2(qemu, image, disk, output):
    """Converts to qcow2 with plain clusters, but for some compressed ones all over the disk."""
    qemu.run("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", "-o",
             f"compression_type={image.compression}", disk, output)
    ranges = json.loads(qemu.run("qemu-img", "map", "--output=json", "-f", "qcow2", output))
    piece = disk.parent / "piece"
    every, length = 24 * MIB, MIB
    with open(disk, "rb") as raw:
        for where in range(every, image.size - length, every):
            if not any(r["data"] and r["start"] <= where and
                       where + length <= r["start"] + r["length"] for r in ranges):
                continue
            raw.seek(where)
            piece.write_bytes(raw.read(length))
            # QEMU writes compressed clusters only where nothing is allocated.
            qemu.run("qemu-io", "-f", "qcow2", "-d", "unmap", "-c", f"discard {where} {length}",
                     "-c", f"write -c -s {piece} {where} {length}", output)
    qemu.run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", disk, output)
    qemu.run("qemu-img", "check", "-q", "-f", "qcow2", output)
