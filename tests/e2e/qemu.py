"""Supplies QEMU.

The 10.x of bookworm-backports emulates guests that fork much three to five times faster than Debian
12's own 7.2. It is unpacked beside the build, never installed, and apt's own sources stay as they are:
apt runs with a configuration of its own, whose mirror is the one this machine already uses.
Where that cannot be had, Debian 12's own package is used.
"""

import os
import pathlib
import shutil
import subprocess

import paths

QEMU_DIR = paths.E2E / "qemu"
BACKPORTS = "bookworm-backports"
PACKAGES = ["qemu-system-x86", "qemu-utils"]
OVMF_CODE = pathlib.Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
OVMF_VARS = pathlib.Path("/usr/share/OVMF/OVMF_VARS_4M.fd")


class Unavailable(Exception):
    """The backport cannot be had here; the message says why."""


def debian_mirror():
    """The mirror that this machine's own sources name for Debian 12."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)",
         "Created-By: Packages"], check=True, capture_output=True, text=True).stdout
    for line in targets.splitlines():
        codename, component, uri = line.split(None, 2)
        if (codename, component) == ("bookworm", "main"):
            return uri.rstrip("/")
    raise Unavailable("no Debian 12 mirror in this machine's apt sources (or apt-get update never ran)")


def _apt(private, *args):
    """Runs apt-get with its lists, cache and sources below `private`."""
    options = {
        "Dir::Etc::sourcelist": private / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": private / "lists",
        "Dir::Cache": private,
        "Dir::Cache::archives": private / "archives",
        "Debug::NoLocking": "true",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    argv = ["apt-get", "-q"]
    for name, value in options.items():
        argv += ["-o", f"{name}={value}"]
    done = subprocess.run(argv + list(args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        tail = [line for line in done.stdout.splitlines() if line][-1:]
        raise Unavailable(f"apt-get {args[0]}: {' '.join(tail)}")


def _unpack_backport():
    """Downloads QEMU and the libraries it needs that are not installed, and unpacks them."""
    key = paths.digest(*PACKAGES, BACKPORTS)
    tree = QEMU_DIR / key
    if (tree / "complete").exists():
        return tree
    shutil.rmtree(QEMU_DIR, ignore_errors=True)
    private = QEMU_DIR / "apt"
    for sub in ("lists/partial", "archives/partial"):
        (private / sub).mkdir(parents=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    mirror = debian_mirror()
    (private / "sources.list").write_text("".join(
        f"deb [signed-by={keyring}] {mirror} {suite} main\n" for suite in ("bookworm", BACKPORTS)))
    print("e2e: fetching QEMU from Debian's backports", flush=True)
    _apt(private, "update")
    _apt(private, "install", "--download-only", "--yes", "--no-install-recommends",
         "--reinstall", "--target-release", BACKPORTS, *PACKAGES)
    for deb in sorted((private / "archives").glob("*.deb")):
        subprocess.run(["dpkg", "-x", deb, tree], check=True)
    shutil.rmtree(private)
    _version(Qemu(tree))
    (tree / "complete").touch()
    return tree


def _version(qemu):
    done = subprocess.run(qemu.argv("qemu-system-x86_64") + ["--version"], env=qemu.env,
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Unavailable(done.stderr.strip() or "QEMU does not start")
    return done.stdout.split("version ")[1].split()[0]


class Qemu:
    """One QEMU installation: below `tree`, or the machine's own where tree is None."""

    def __init__(self, tree=None):
        self.tree = tree
        self.env = dict(os.environ)
        self.data = []
        if tree:
            library = tree / "usr/lib/x86_64-linux-gnu"
            self.env["LD_LIBRARY_PATH"] = f"{library}:{tree / 'lib/x86_64-linux-gnu'}"
            # Absent modules (spice, block drivers) are looked up here and not among the machine's own.
            self.env["QEMU_MODULE_DIR"] = str(library / "qemu")
            self.data = ["-L", str(tree / "usr/share/qemu"), "-L", str(tree / "usr/share/seabios")]

    def argv(self, program):
        return [str(self.tree / "usr/bin" / program) if self.tree else program]

    def run(self, program, *args, **kwargs):
        """Runs one of QEMU's tools (qemu-img, qemu-io); its output is in the exception if it fails."""
        argv = self.argv(program) + [str(arg) for arg in args]
        done = subprocess.run(argv, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, **kwargs)
        if done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(argv[1:])}: {done.stdout.strip()[-2000:]}")
        return done.stdout


def supply():
    """The QEMU to use; prints one line that says which."""
    try:
        qemu = Qemu(_unpack_backport())
        print(f"e2e: QEMU {_version(qemu)} (Debian backports, below build/)", flush=True)
        return qemu
    except Unavailable as why:
        missing = [name for name in PACKAGES if not _installed(name)]
        if missing:
            subprocess.run(["apt-get", "install", "--yes", "--no-install-recommends", *missing],
                           check=True)
        qemu = Qemu()
        print(f"e2e: QEMU {_version(qemu)} of Debian 12: everything will be slower ({why})", flush=True)
        return qemu


def _installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", package],
                          capture_output=True, text=True)
    return done.stdout.startswith("ii")
