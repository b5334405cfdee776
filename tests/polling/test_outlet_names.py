"""An outlet's name at either end of its headlines: learned from its own document, left out."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from feedlab import Publisher, polled, rss
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.schema import FeedSource
from monitor.model import Entry
from monitor.polling.outlet_names import OutletNames
from monitor.polling.poll import Intake

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
HEADLINES = {
    "latin": ["Dam fails above the town", "Ferry sinks off the coast - 12 dead",
              "Minister resigns after vote", "Mine shuts for good"],
    "cyrillic": ["Пожар на заводе потушен", "Взрыв в шахте – трое погибших",
                 "Суд вынес приговор", "Мост закрыт на ремонт"],
    "chinese": ["四川發生六級地震多人受傷", "工廠大火-三人死亡", "部長宣布辭職", "港口今日關閉"],
    "japanese": ["工場で火災、けが人なし", "首相が会見で説明", "高速道路が通行止め",
                 "地震で津波注意報"],
    "arabic": ["حريق في مصنع كبير", "زلزال يضرب المدينة - عشرات القتلى", "استقالة الوزير اليوم",
               "إغلاق الميناء بعد العاصفة"],
    "thai": ["ไฟไหม้โรงงานใหญ่", "รัฐมนตรีลาออก", "สะพานปิดซ่อม", "แผ่นดินไหวรุนแรง"],
    "hebrew": ["שריפה במפעל גדול", "השר התפטר הבוקר", "הנמל נסגר לאחר הסערה", "רעידת אדמה חזקה"],
}  # fmt: skip


async def told(
    publisher: Publisher, intake: Intake, titles: list[str], extra: str = "", name: str = ""
) -> list[str]:
    """Return the titles that a poll of a feed with these titles hands over, in their order."""
    source = FeedSource(id="paper", url=publisher.url(), name=name)
    publisher.serve("/feed", rss(("0", "Where to read us", DATE)))
    await polled(intake, source)
    rows = [(str(n), escape(title), DATE) for n, title in enumerate(titles, 1)]
    publisher.serve("/feed", rss(*rows, extra=extra))
    stories = (await polled(intake, source)).stories
    by_link = {story.url.rpartition("/")[2]: story.title for story in stories}
    return [by_link[str(n)] for n in range(1, len(titles) + 1)]


@pytest.mark.parametrize(
    ("script", "form"),
    [
        ("latin", "{} - France 24"), ("latin", "{} | The Example Times | Latest News"),
        ("latin", "Example Post: {}"), ("latin", "{} (Example Agency)"), ("latin", "[ANSA] {}"),
        ("latin", "{} :: Asharq Al-Awsat in English"),
        ("cyrillic", "{} — Вести.ру"), ("cyrillic", "{} // Новости НТВ"), ("cyrillic", "ТАСС: {}"),
        ("cyrillic", "{} - 24 Канал"), ("chinese", "{}_新浪網"), ("chinese", "{} | 公視新聞網 PNN"),
        ("chinese", "{}-香港01"), ("chinese", "【明報】{}"), ("chinese", "聯合早報：{}"),
        ("japanese", "{}｜NHK"), ("japanese", "{}：朝日新聞デジタル"),
        ("japanese", "{} - 産経ニュース"),
        ("arabic", "{} | الجزيرة نت"), ("arabic", "{} - قناة 12"), ("arabic", "رويترز: {}"),
        ("thai", "{} - ไทยรัฐออนไลน์"), ("thai", "{} | ช่อง 7"), ("hebrew", "{} - ynet"),
        ("hebrew", "{} | כאן 11"),
    ],
)  # fmt: skip
async def test_what_most_titles_of_a_feed_share_is_the_outlets(
    publisher: Publisher, intake: Intake, script: str, form: str
) -> None:
    """With figures in it or not, in any script, at either end; a dash of one headline stays."""
    headlines = HEADLINES[script]
    titles = [*(form.format(title) for title in headlines), "A word to our readers"]
    assert await told(publisher, intake, titles) == [*headlines, "A word to our readers"]


async def test_titles_under_one_source_share_its_name(publisher: Publisher, intake: Intake) -> None:
    """A feed that gathers other outlets' reports: each name is cut where its source stands."""
    latin, arabic = HEADLINES["latin"], HEADLINES["arabic"]
    rows = [
        (f"{latin[0]} - France 24", "France 24"), (f"{latin[1]} - BBC", "BBC.com"),
        (f"{latin[2]} - BBC", "BBC.com"), (f"{arabic[1]} - قناة 12", "قناة 12"),
        (f"{latin[3]} - what now?", "The Post"), ("7 dead - Reuters", "The Post"),
    ]  # fmt: skip
    items = "".join(
        f"<item><guid>n{n}</guid><title>{title}</title><link>https://news.example/{n}</link>"
        f"<pubDate>{DATE}</pubDate><source url='https://o.example/'>{outlet}</source></item>"
        for n, (title, outlet) in enumerate(rows)
    )
    source = FeedSource(id="news", url=publisher.url())
    publisher.serve("/feed", rss(("0", "First", DATE)))
    await polled(intake, source)
    publisher.serve("/feed", rss(extra=items))
    stories = {story.url[-1]: story for story in (await polled(intake, source)).stories}
    assert [stories[str(n)].title for n in range(6)] == [
        latin[0], latin[1], latin[2], arabic[1], f"{latin[3]} - what now?", "7 dead - Reuters",
    ]  # fmt: skip
    assert stories["3"].outlet == "قناة 12"


@pytest.mark.parametrize(
    "titles",
    [
        ["Ukraine war: two dead in the east", "Ukraine war: bridge hit", "Ukraine war: talks"],
        ["Ukraine: two dead in the east", "Ukraine: bridge hit", "Ukraine: talks resume"],
        ["Talks resume - Украина", "Bridge hit - Украина", "Two dead in the east - Украина"],
        ["The Keep – Session 157", "The Keep – Session 158", "The Keep – Session 159"],
        ["By: Graham Morris", "By: Brett Bentley-Leek", "By: Andrew Brentnall"],
        ["Covid-19 cases rise", "Covid-19 ward opens", "Covid-19 rules end"],
        ["Quake - 12 dead", "Flood - 12 dead", "Fire - 12 hurt"],
        ["Live: BBC", "BBC", "On - BBC", "BBC: a", "x - BBC"],
        ["Dam fails - BBC", "Ferry sinks", "Minister resigns", "Mine shuts"],
        ["Dam fails - BBC", "Dam fails - BBC ", "DAM FAILS - BBC", "Dam  fails - BBC"],
    ],
)
async def test_what_a_headline_says_stays(
    publisher: Publisher, intake: Intake, titles: list[str]
) -> None:
    """A place is no outlet, a word's own hyphen no separator, one dash no rule."""
    kept = [" ".join(title.split()) for title in titles]
    assert await told(publisher, intake, titles) == kept


async def test_a_place_in_the_outlets_own_name_is_the_outlets(
    publisher: Publisher, intake: Intake
) -> None:
    """`Japan Times` goes, where the feed calls itself so."""
    headlines = HEADLINES["latin"]
    titles = [f"{title} | Japan Times" for title in headlines]
    assert await told(publisher, intake, titles, name="The Japan Times") == headlines


_words = st.text("ab -–|:_[]()漢字の：ع", max_size=12)


@given(st.lists(_words, max_size=8), st.sampled_from(["", "b", "漢字"]))
def test_no_title_becomes_nothing(titles: list[str], outlet: str) -> None:
    """Whatever the titles, something stays of each title that says something."""
    entries = [Entry(guid=str(n), title=title, outlet=outlet) for n, title in enumerate(titles)]
    names = OutletNames(entries, ("b",))
    for entry in entries:
        kept = names.headline(entry)
        assert bool(kept) is bool(entry.title)
        assert sum(map(str.isalnum, kept)) >= min(4, sum(map(str.isalnum, entry.title)))
