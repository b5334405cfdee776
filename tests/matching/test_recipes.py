"""The recipes of the documentation, tried with the packaged model: each does what its lines say."""

from __future__ import annotations

from itertools import pairwise

import pytest
import yaml

from monitor.analysis.offline import build_matcher, topic_judge
from monitor.config.schema import Topic
from monitor.embedding import embed_stories
from monitor.embedding.multilingual import MultilingualEmbedder
from monitor.model import Story
from tests.docs.pages import ROOT, blocks

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "how-to" / "recipes.md"
RECIPES = [
    (one.text, two.text)
    for one, two in pairwise(blocks(PAGE))
    if (one.language, two.language) == ("yaml", "text")
]


def test_there_are_four_recipes() -> None:
    """A company, a person, a place, a wide subject."""
    assert len(RECIPES) == 4


@pytest.mark.parametrize(("recipe", "lines"), RECIPES, ids=["company", "person", "place", "wide"])
def test_a_recipe_does_what_its_page_says(
    multilingual: MultilingualEmbedder, recipe: str, lines: str
) -> None:
    """One of its topics fires on each headline marked so, and none on the others."""
    topics = [
        Topic.model_validate({"id": f"t{number}", **topic})
        for number, topic in enumerate(yaml.safe_load(recipe)["topics"])
    ]
    rows = [row.split(None, 1) for row in lines.splitlines()]
    wanted = {title.strip(): word for word, title in rows}
    stories = [Story(id=title, title=title) for title in wanted]
    matcher, judge = build_matcher(topics, multilingual), topic_judge(multilingual)
    assert judge is not None
    scored = matcher.score_batch(judge.over(matcher, embed_stories(multilingual, stories, 24)))
    did = {
        story.title: "fires" if any(match.fired for match in row) else "quiet"
        for story, row in zip(stories, scored, strict=True)
    }
    best = {s.title: max(m.score for m in row) for s, row in zip(stories, scored, strict=True)}
    assert did == wanted, {title: best[title] for title in wanted if did[title] != wanted[title]}
