"""What pydantic found wrong, said so that the person who wrote the file knows what to do."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from monitor.config.names import did_you_mean, nearest, readable_id
from monitor.config.yaml_source import Loc, YamlFile
from monitor.text import shorten


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """A mistake in one part of the configuration, at a path of keys inside that part."""

    loc: Loc
    message: str
    severity: str = "error"


def note(file: YamlFile, node: yaml.Node, finding: ConfigProblem) -> None:
    """Note a finding about `node` as a problem with its line."""
    reached, line = file.find(node, finding.loc)
    file.say(line, file.without_secrets(finding.message, reached), finding.severity)


def explain(
    error: ValidationError, model: type[BaseModel], file: YamlFile, node: yaml.Node
) -> Iterator[ConfigProblem]:
    """Yield one finding for each thing pydantic objected to in `node`, read as `model`."""
    for item in error.errors(include_url=False, include_input=False):
        loc: Loc = tuple(step for step in item["loc"] if step != "[key]")
        reached, _ = file.find(node, loc)
        yield ConfigProblem(loc, _sentence(item, loc, model, reached, file))


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys a settings class takes, as they are written in the file."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _sentence(
    item: Mapping[str, Any], loc: Loc, model: type[BaseModel], reached: yaml.Node, file: YamlFile
) -> str:
    kind = str(item["type"])
    context = item.get("ctx") or {}
    names = [str(step) for step in loc if not isinstance(step, int)]
    key = f'"{names[-1]}"' if names else "this"
    shown = _shown(reached, file)
    if kind == "missing":
        return f"{key} is missing; every {_kind_of(model)} needs one"
    if kind == "extra_forbidden":
        return _unknown_key(loc, model)
    if kind == "literal_error":
        choices = context.get("expected", "")
        return f"{key} is {shown}; choose one of {choices}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        known = str(context.get("expected_tags", "")).replace("'", "").split(", ")
        if kind == "union_tag_not_found":
            return f'"type" is missing; choose one of {_listed(_tags(model, loc) or known)}'
        tag = str(context.get("tag", ""))
        return f'there is no channel type "{tag}"; {did_you_mean(tag, known)}'
    if kind == "string_pattern_mismatch":
        return _pattern(key, shown, str(context.get("pattern", "")), reached, file)
    if kind == "string_type" and isinstance(reached, yaml.MappingNode):
        return f'{key} holds a ": ", which makes it a pair of key and value; put it all in quotes'
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        if names[-1:] in (["require"], ["exclude"]):
            return f"{key} is {shown}; write for example {names[-1]}: {{any: [{_first(reached)}]}}"
        return f'{key} is {shown}; write its settings below it, one "key: value" a line'
    if kind in ("value_error", "assertion_error"):
        if file.variables(reached):
            return f"{key} does not fit: {shown} holds something else than is needed here"
        return f"{key}: {str(item['msg']).partition(', ')[2] or item['msg']}"
    return f"{key} is {shown}; it {_need(kind, context)}"


def _first(node: yaml.Node) -> str:
    """Return the first word of a list, or the value itself, as an example to write."""
    if isinstance(node, yaml.SequenceNode) and node.value:
        node = node.value[0]
    text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
    return " ".join(text.split())[:40] or "word"


def _need(kind: str, context: Mapping[str, Any]) -> str:
    if kind.startswith("int"):
        return "must be a whole number"
    if kind.startswith("float") or kind == "finite_number":
        return "must be a number"
    if kind.startswith("bool"):
        return "must be true or false"
    if kind == "greater_than_equal":
        return f"must be {context.get('ge')} or more"
    if kind == "less_than_equal":
        return f"must be {context.get('le')} or less"
    if kind == "string_too_short":
        return f"needs at least {context.get('min_length')} characters"
    if kind == "string_type":
        return "must be text"
    if kind in ("tuple_type", "list_type"):
        return "must be a list"
    return "does not fit here; see docs/reference/configuration.md"


def _pattern(key: str, shown: str, pattern: str, reached: yaml.Node, file: YamlFile) -> str:
    if ":[0-5]" in pattern:
        return f'{key} is {shown}; write a time of day such as "07:00" or "22:30"'
    advice = "write lower-case letters, digits, and . _ - only"
    if isinstance(reached, yaml.ScalarNode) and not file.variables(reached):
        advice += f", for example {readable_id(reached.value)}"
    return f"{key} is {shown}; {advice}"


def _shown(node: yaml.Node, file: YamlFile) -> str:
    """Return the value as the file has it; never what a variable brought in."""
    if isinstance(node, yaml.MappingNode):
        return "a group of settings"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    text = " ".join(str(node.value).split())
    return f'"{shorten(text, 61)}"'


def _kind_of(model: type[BaseModel]) -> str:
    name = model.__name__
    return {"FeedSource": "feed", "Topic": "topic", "Route": "route"}.get(name, "one of these")


def _unknown_key(loc: Loc, model: type[BaseModel]) -> str:
    wrong = str(loc[-1])
    owners = _models_at(model, loc[:-1])
    known = [key for owner in owners for key in keys_of(owner)]
    if meant := _meant(wrong, owners):
        return f'unknown key "{wrong}"; {meant}'
    if near := nearest(wrong, known):
        return f'unknown key "{wrong}"; did you mean "{near}"?'
    for owner in owners:
        for name, field in owner.model_fields.items():
            for inner in _models(field.annotation):
                if inner is not owner and wrong in keys_of(inner):
                    return f'"{wrong}" belongs under "{field.alias or name}"; move it there'
    return f'unknown key "{wrong}"; {did_you_mean(wrong, known)}'


# What people write for a key that has another name here.
_MEANT = {
    "Topic": {
        "counter_examples": "not", "counterexamples": "not", "negative_examples": "not",
        "negatives": "not", "negative": "not", "bad_examples": "not", "nots": "not",
        "positive_examples": "examples", "positives": "examples", "headlines": "examples",
        "title": "name", "topic": "name", "lang": "languages", "sources": "feeds",
        "threshold": "sensitivity", "max_age": "fresh_for",
        "keywords": "require: {any: [...]}", "words": "require: {any: [...]}",
        "must": "require: {all: [...]}", "must_not": "exclude: {any: [...]}",
        "stopwords": "exclude: {any: [...]}", "blocklist": "exclude: {any: [...]}",
        "blacklist": "exclude: {any: [...]}", "without": "exclude: {any: [...]}",
        "exclude_words": "exclude: {any: [...]}", "priority": "alert: {urgency: high}",
        "severity": "alert: {urgency: high}", "channel": "alert: {to: [...]}",
        "channels": "alert: {to: [...]}", "route": "alert: {to: [...]}",
    },
    "FeedSource": {
        "title": "name", "titel": "name", "link": "url", "address": "url", "xmlurl": "url",
        "feed": "url", "lang": "language", "languages": "language", "every": "interval",
        "category": "tags", "labels": "tags",
    },
}  # fmt: skip


def _meant(wrong: str, owners: list[type[BaseModel]]) -> str:
    word = wrong.lower().replace("-", "_").replace(" ", "_")
    for owner in owners:
        if key := _MEANT.get(owner.__name__, {}).get(word):
            return f"write {key}" if "{" in key else f'did you mean "{key}"?'
    return ""


def _tags(model: type[BaseModel], loc: Loc) -> list[str]:
    return [
        str(get_args(owner.model_fields["type"].annotation)[0])
        for owner in _models_at(model, loc)
        if "type" in owner.model_fields
    ]


def _listed(words: list[str]) -> str:
    return ", ".join(words)


def _models_at(model: type[BaseModel], loc: Loc) -> list[type[BaseModel]]:
    """Return the settings classes that may stand at a path below `model`."""
    current: list[Any] = [model]
    for step in loc:
        following: list[Any] = []
        for annotation in current:
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                for name, field in annotation.model_fields.items():
                    if step in (name, field.alias):
                        following += _flat(field.annotation)
            else:
                args = get_args(annotation)
                inner = args[-1] if get_origin(annotation) is dict else (args or (None,))[0]
                following += _flat(inner)
        if not following:  # the tag of a union: it names which of several classes it is
            current = [one for one in current if _has_tag(one, str(step))] or current
            continue
        current = following
    return [one for one in current if isinstance(one, type) and issubclass(one, BaseModel)]


def _has_tag(annotation: Any, tag: str) -> bool:
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return False
    field = annotation.model_fields.get("type")
    return field is not None and tag in get_args(field.annotation)


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [
        one for one in _flat(annotation) if isinstance(one, type) and issubclass(one, BaseModel)
    ]


def _flat(annotation: Any) -> list[Any]:
    """Return what an annotation may be: unions and Annotated are opened, None is left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _flat(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [kind for arg in get_args(annotation) for kind in _flat(arg)]
    return [] if annotation in (None, type(None)) else [annotation]
