"""Has the configuration changed? Asked by the service every few seconds, so it must be cheap."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

_READ = (".yaml", ".yml", ".opml")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the files of a folder hold. Two are equal if the contents are."""

    digest: str
    files: dict[str, tuple[int, int, int, str]] = field(default_factory=dict, compare=False)


def fingerprint(folder: str | Path, known: Fingerprint | None = None) -> Fingerprint:
    """Return the fingerprint of every file the configuration may be read from.

    A file whose times, size and inode are those in `known` is not read again. A file that cannot
    be read counts as such, so that its return is a change too. Touching a file is no change.
    """
    before = known.files if known else {}
    files: dict[str, tuple[int, int, int, str]] = {}
    top = Path(folder)
    for path in sorted(_files(top)):
        name = path.relative_to(top).as_posix()
        try:
            stat = path.stat()
            key = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            old = before.get(name)
            content = (
                old[3] if old and old[:3] == key else hashlib.sha256(path.read_bytes()).hexdigest()
            )
        except OSError:
            key, content = (0, 0, 0), "unreadable"
        files[name] = (*key, content)
    whole = hashlib.sha256()
    for name, row in files.items():
        whole.update(f"{name}\0{row[3]}\n".encode("utf-8", "surrogateescape"))
    return Fingerprint(whole.hexdigest(), files)


def _files(folder: Path) -> list[Path]:
    try:
        inner = [folder, folder / "feeds", folder / "topics"]
        return [
            path
            for place in inner
            if place.is_dir()
            for path in place.iterdir()
            if path.suffix in _READ and path.is_file()
        ]
    except OSError:
        return []
