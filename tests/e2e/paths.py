"""Where the end-to-end tests keep what they make: everything below build/e2e."""

import hashlib
import os
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("V2P_BUILD", ROOT / "build"))
E2E = BUILD / "e2e"
LOGS = E2E / "logs"
WORK = E2E / "work"
MEDIUM = BUILD / "medium"


def digest(*parts):
    """A short key of what something is made from: files, folders (names, modes and contents), text."""
    sha = hashlib.sha256()
    for part in parts:
        if not isinstance(part, pathlib.Path):
            sha.update(str(part).encode())
            continue
        files = sorted(part.rglob("*")) if part.is_dir() else [part]
        for file in files:
            sha.update(f"{file.relative_to(part.parent)}\0".encode())
            if file.is_symlink():
                sha.update(os.readlink(file).encode())
            elif file.is_file():
                sha.update(b"x" if os.access(file, os.X_OK) else b"-")
                sha.update(file.read_bytes())
    return sha.hexdigest()[:12]
