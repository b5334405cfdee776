"""A stand-in for `kubectl apply -k FOLDER`, where there is no cluster.

The folder must be a kustomization whose resources exist and parse, whose objects have distinct
names, and whose generators find their files. What would be applied is printed as kubectl does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml


class KubectlRefused(Exception):
    """What kubectl would say before leaving with exit code 1."""


def build(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a kustomization.

    Raises:
        Refused: it is none, or something it names is missing or wrong.
    """
    path = folder / "kustomization.yaml"
    if not path.is_file():
        raise KubectlRefused(
            f"error: unable to find one of 'kustomization.yaml' in directory '{folder}'"
        )
    plan = yaml.safe_load(path.read_text())
    if plan.get("kind") != "Kustomization" or not plan["apiVersion"].startswith("kustomize."):
        raise KubectlRefused(f"error: {path} is not a kustomization")
    objects: list[dict[str, Any]] = []
    for name in plan.get("resources", ()):
        if not (folder / name).is_file():
            raise KubectlRefused(f"error: accumulating resources from '{name}': no such file")
        try:
            found = [item for item in yaml.safe_load_all((folder / name).read_text()) if item]
        except yaml.YAMLError as error:
            raise KubectlRefused(f"error: {name}: {error}") from None
        for item in found:
            if not (item.get("apiVersion") and item.get("kind") and item.get("metadata")):
                raise KubectlRefused(
                    f"error: {name}: an object needs apiVersion, kind and metadata"
                )
        objects += found
    for kind, key in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")):
        for made in plan.get(key, ()):
            for file in made.get("files", ()):
                if not (folder / file).is_file():
                    raise KubectlRefused(f"error: {key} {made['name']}: {file}: no such file")
            if wrong := [text for text in made.get("literals", ()) if "=" not in text]:
                raise KubectlRefused(
                    f"error: {key} {made['name']}: invalid literal source {wrong[0]}"
                )
            objects.append({"apiVersion": "v1", "kind": kind, "metadata": {"name": made["name"]}})
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    if double := [name for name in names if names.count(name) > 1]:
        raise KubectlRefused(
            f"error: may not add resource with an already registered id: {double[0]}"
        )
    return objects


def main(words: list[str]) -> int:
    """Do what a command line says; return the exit code."""
    match words:
        case ["apply", "-k", folder]:
            try:
                objects = build(Path(folder))
            except KubectlRefused as refusal:
                print(refusal, file=sys.stderr)
                return 1
            for item in objects:
                group = item["apiVersion"].partition("/")[0] if "/" in item["apiVersion"] else ""
                kind = f"{item['kind'].lower()}{'.' if group else ''}{group}"
                print(f"{kind}/{item['metadata']['name']} created")
            return 0
        case _:
            print(f"error: unknown command {' '.join(words)!r}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
