"""The starter configuration: what `wirewatch init` writes."""

from __future__ import annotations

from pathlib import Path

from monitor.config.json_schema import schema_files

_FILES = ("wirewatch.yaml", "feeds.yaml", "topics.yaml")


def starter_files() -> dict[str, str]:
    """Return the starter configuration: path inside the folder -> text.

    The JSON Schemas beside the YAML files let editors complete and check them.
    """
    here = Path(__file__).parent
    files = {name: (here / name).read_text(encoding="utf-8") for name in _FILES}
    return files | {f"schema/{name}": text for name, text in schema_files().items()}


def write_starter(folder: Path) -> tuple[list[Path], list[Path]]:
    """Write the starter configuration; return (written, kept). A file that exists is kept.

    Raises:
        OSError: if the folder cannot be written to.
    """
    written, kept = [], []
    for name, text in starter_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            kept.append(path)
        else:
            written.append(path)
    return written, kept
