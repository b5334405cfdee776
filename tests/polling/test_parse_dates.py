"""Dates as publishers write them: read whole, or called unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from babel import Locale
from feedlab import rss
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.parsing import date_names
from monitor.parsing.date_reader import DateReader
from monitor.parsing.dates import BAD_OFFSET, EITHER, NO_ZONE, UNKNOWN, read_date
from monitor.parsing.detect_format import parse

URL = "https://paper.example/feed.xml"


def utc(text: str, language: str = "") -> str | None:
    """Return what a date says, as `YYYY-MM-DD HH:MM:SS` in UTC, or None."""
    instant = read_date(text, language).instant
    return None if instant is None else f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d %H:%M:%S}"


# The dates that Miniflux's own tests want read (internal/reader/date/parser_test.go).
FROM_MINIFLUX = {
    "2017-12-22T22:09:49+00:00": "2017-12-22 22:09:49",
    "Fri, 31 Mar 2023 20:19:00 America/Los_Angeles": "2023-04-01 03:19:00",
    "Tue, 03 Jun 2003 09:39:21 GMT": "2003-06-03 09:39:21",
    "Wed, 26 Dec 2018 10:00:54 PST": "2018-12-26 18:00:54",
    "Wed, 10 Feb 2021 22:46:00 EST": "2021-02-11 03:46:00",
    "Sun, 28 Oct 2018 13:48:00 +0100": "2018-10-28 12:48:00",
    "Sun, 17 Dec 2017 1:55 PM EST": "2017-12-17 18:55:00",
    "9 Dec 2016 12:00 GMT": "2016-12-09 12:00:00",
    "Friday, December 22, 2017 - 3:09pm": "2017-12-22 15:09:00",
    "Friday, December 8, 2017 - 3:07pm": "2017-12-08 15:07:00",
    "Thu, 25 Feb 2016 00:00:00 Europe/Brussels": "2016-02-24 23:00:00",
    "Mon, 09 Apr 2018, 16:04": "2018-04-09 16:04:00",
    "Di, 23 Jan 2018 00:00:00 +0100": "2018-01-22 23:00:00",
    "Do, 29 Mär 2018 00:00:00 +0200": "2018-03-28 22:00:00",
    "mer, 9 avr 2018 00:00:00 +0200": "2018-04-08 22:00:00",
    "1520932969": "2018-03-13 09:22:49",
    "Tue 16 Feb 2016, 23:16:00 EDT": "2016-02-17 03:16:00",
    "Tue, 16 Feb 2016 23:16:00 EDT": "2016-02-17 03:16:00",
    "Tue, Feb 16 2016 23:16:00 EDT": "2016-02-17 03:16:00",
    "March 30 2020 07:02:38 PM": "2020-03-30 19:02:38",
    "Mon, 30 Mar 2020 19:53 +0000": "2020-03-30 19:53:00",
    "Mon, 03/30/2020 - 19:19": "2020-03-30 19:19:00",
    "2018-12-12T12:12": "2018-12-12 12:12:00",
    "2020-11-08T16:20:00-05:00Z": "2020-11-08 21:20:00",
    "Nov. 16, 2020, 10:57 a.m.": "2020-11-16 10:57:00",
    "Friday 06 November 2020": "2020-11-06 00:00:00",
    "Mon, November 16, 2020, 11:12 PM EST": "2020-11-17 04:12:00",
    "Lundi, 16. Novembre 2020 - 15:54": "2020-11-16 15:54:00",
    "Thu Nov 12 2020 17:00:00 GMT+0000 (Coordinated Universal Time)": "2020-11-12 17:00:00",
    "Sat, 11 04 2020 08:51:49 +0100": "2020-04-11 07:51:49",
    "Mon, 16th Nov 2020 13:16:28 GMT": "2020-11-16 13:16:28",
    "Nov. 2020": "2020-11-01 00:00:00",
    "ven., 03 juil. 2020 15:09:58 +0000": "2020-07-03 15:09:58",
    "Fri, 26/06/2020": "2020-06-26 00:00:00",
    "Thu, 29 Oct 2020 07:36:03 GMT-07:00": "2020-10-29 14:36:03",
    "jeu., 02 avril 2020 00:00:00 +0200": "2020-04-01 22:00:00",
    "Jan. 4, 2016, 12:37 p.m.": "2016-01-04 12:37:00",
    "2018-10-23 04:07:42 +00:00": "2018-10-23 04:07:42",
    "5 August, 2019": "2019-08-05 00:00:00",
    "mar., 01 déc. 2020 16:11:02 +0000": "2020-12-01 16:11:02",
    "Thurs, 15 Oct 2020 00:00:39 +0000": "2020-10-15 00:00:39",
    "Thur, 19 Nov 2020 00:00:39 +0000": "2020-11-19 00:00:39",
    "26 Sep 2022 GMT": "2022-09-26 00:00:00",
    "Thu, June 22, 2023 at 01:11 PM EDT": "2023-06-22 17:11:00",
    "Apr 16, 2023 08:01 GMT": "2023-04-16 08:01:00",
    "Jun 23, 2023 19:00 GMT": "2023-06-23 19:00:00",
    "09/15/2014 4:20 pm PST": "2014-09-16 00:20:00",
    "Fri, 23rd Jun 2023 09:32:20 GMT": "2023-06-23 09:32:20",
    "Sat, Oct 28 2023 08:28:28 PM": "2023-10-28 20:28:28",
    "Monday, October 6, 2023 - 16:29\n": "2023-10-06 16:29:00",
    "10/30/23 21:55:58": "2023-10-30 21:55:58",
    "30.10.23": "2023-10-30 00:00:00",
    "2023-05-29 00:00:00-13:00": "2023-05-29 00:00:00",
    "2023-05-29 00:00:00+15:00": "2023-05-29 00:00:00",
}
ZONES = {
    "Thu, 26 Nov 2026 15:10:13 CET": "14:10:13",
    "Thu, 26 Nov 2026 15:10:13 CEST": "13:10:13",
    "Thu Nov 26 15:10:13 CET 2026": "14:10:13",
    "Thu, 26 Nov 2026 15:10:13 EET": "13:10:13",
    "Thu, 26 Nov 2026 15:10:13 MSK": "12:10:13",
    "Thu, 26 Nov 2026 15:10:13 IST": "09:40:13",
    "Thu, 26 Nov 2026 15:10:13 JST": "06:10:13",
    "Thu, 26 Nov 2026 15:10:13 UTC+2": "13:10:13",
    "Thu, 26 Nov 2026 15:10:13 -0000": "15:10:13",
    "Thu, 26 Nov 2026 15:10:13 +0530 (IST)": "09:40:13",
    "2026-11-26 15:10:13 +0100 CET": "14:10:13",
    "2026-11-26T15:10:13 Europe/Berlin": "14:10:13",
    "Nov 26, 2026 3:10:13 PM ET": "20:10:13",
    "26.11.2026 15:10:13 Uhr MEZ": "14:10:13",
    "Kamis, 26 November 2026 15.10 WIB": "08:10:00",
    "26/Nov/2026:15:10:13 +0100": "14:10:13",
    "Thứ năm, 26/11/2026, 15:10 (GMT+7)": "08:10:00",
    "2026-11-26T15:10:13+01:00[Europe/Berlin]": "14:10:13",
    "2026-11-26T15:10:13[Europe/Berlin]": "14:10:13",
    "26 ноября 2026 в 15:10 (МСК)": "12:10:00",
    "26 ноября 2026, 15:10 мск": "12:10:00",
    "Thu, 26 Nov 2026 15:10:13 BDT": "09:10:13",
    "3:10 p.m. Eastern Standard Time, Nov 26 2026": "20:10:00",
    "Thu, 26 Nov 2026 15:10:13 Pacific Time": "23:10:13",
    "Thu, 26 Nov 2026 16.10.13 +0100": "15:10:13",
}
FORMS = {
    "2026/11/26 15:10:13": "15:10:13",
    "2026年11月26日 15:10": "15:10:00",
    "2026年11月26日(木) 15時10分": "15:10:00",
    "2026年11月26日 下午3:10": "15:10:00",
    "2026년 11월 26일 오후 3:10": "15:10:00",
    "2026. 11. 26. 15:10": "15:10:00",
    "2026.11.26 15:10": "15:10:00",
    "Thu, 26 Nov 2026 15:10:13": "15:10:13",
    "20261126T151013Z": "15:10:13",
    "2026-11-26T15:10:13.1234567Z": "15:10:13",
    "26-Nov-2026 15:10": "15:10:00",
    "Thursday, 26-Nov-26 15:10:13 GMT": "15:10:13",
    "26 ноября 2026 г., 15:10": "15:10:00",
    "четвер, 26 листопада 2026, 15:10": "15:10:00",
    "26 de noviembre de 2026, 3:10 p. m.": "15:10:00",
    "quinta-feira, 26 de novembro de 2026 15h10": "15:10:00",
    "Πέμπτη, 26 Νοεμβρίου 2026, 15:10": "15:10:00",
    "26 พ.ย. 2569 15:10 น.": "15:10:00",
    "الخميس 26 تشرين الثاني 2026 3:10 م": "15:10:00",
    "٢٦ نوفمبر ٢٠٢٦ ١٥:١٠": "15:10:00",
    "Thứ Năm, 26/11/2026 15:10": "15:10:00",
    "יום חמישי, 26 בנובמבר 2026, 15:10": "15:10:00",
    "Czwartek, 26 Listopad 2026 15:10": "15:10:00",
    "12:10 AM, 26 Nov 2026": "00:10:00",
    "12:10 PM, 26 Nov 2026": "12:10:00",
    "202611261510": "15:10:00",
    "1795705813000000": "15:10:13",
    "26 Nov 2026 3:10 p": "15:10:00",
    "jueves, 26 de noviembre de 2026 a las 15:10": "15:10:00",
    "2026-W48-4": "00:00:00",
    "2026W484T151013Z": "15:10:13",
    "2026-330T15:10:13Z": "15:10:13",
    "20261126T1510Z": "15:10:00",
    "2026-11-26T15Z": "15:00:00",
    "2026-11-26-15:10": "15:10:00",
    "2026-11-26 15:10:13:123": "15:10:13",
    "Thu, 26 Nov 2026 15:10:3 Z": "15:10:03",
    "Thu, 26 Nov 2026 @ 15:10": "15:10:00",
    "26 Nov 2026 · 15:10": "15:10:00",
    "26 novembre 2026 à 15 h 10": "15:10:00",
    "26 de noviembre del 2026 15:10 hs": "15:10:00",
    "26/11/2026 às 15h": "15:00:00",
    "26 KASIM 2026 PERŞEMBE 15:10": "15:10:00",
    "26 نوفمبر/تشرين الثاني 2026": "00:00:00",
    "26 نوفمبر 2026 الساعة 3:10 مساءً": "15:10:00",
    "26 نونبر 2026 15:10": "15:10:00",
    "الخميس, 26 تشرين الثّاني 2026": "00:00:00",
    "יום ה', 26 נוב 2026 15:10": "15:10:00",
    "26 בנובמבר 2026 בשעה 15:10": "15:10:00",
    "令和8年11月26日 15:10": "15:10:00",
    "民國115年11月26日 15:10": "15:10:00",
    "2026年11月26日 中午12:10": "12:10:00",
    "วันพฤหัสบดีที่ 26 พฤศจิกายน พ.ศ. 2569 เวลา 15:10 น.": "15:10:00",
    "พฤ., 26 พ.ย. 2569 15:10": "15:10:00",
    "чт, 26.11.2026 г. 15:10 ч.": "15:10:00",
    "26 Νοεμβρίου 2026 στις 15:10": "15:10:00",
}


@pytest.mark.parametrize(("text", "instant"), FROM_MINIFLUX.items())
def test_what_miniflux_reads_is_read_right(text: str, instant: str) -> None:
    """Every date of another reader's tests gives the instant it says."""
    assert utc(text) == instant


@pytest.mark.parametrize(("text", "clock"), (ZONES | FORMS).items())
def test_zones_languages_and_halves_of_the_day(text: str, clock: str) -> None:
    """Zones by name, months in many scripts, AM and PM: one Thursday, each at its hour."""
    assert utc(text) == f"2026-11-26 {clock}"


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "2 hours ago", "26", "26 Nov", "Nov 26", "15:10", "2026-13-01",
        "31 Feb 2026", "Thu, 26 Nov 2026 25:10:13 GMT",
        "Thu, 26 Nov 2026 15:10:13 XYZ", "26 Nov 2026 13:10 AM",
        "Posted 26 Nov 2026", "26 Nov 2026, 27 Nov 2026", "2026-11-26 or thereabouts",
        "0001-01-01T00:00:00Z",
        "2026-W54-1", "2026-366", "15:10-26.11.2026", "5 آذر 1405", "26 SALI 2026",
        "26 listopada 2026", "03/04/2026 10:00", "2026/11/26/7", "26-11-25", "x" * 5_000,
    ],
)  # fmt: skip
def test_half_a_date_is_none(text: str) -> None:
    """A text that is not understood to its last word gives nothing, rather than another date."""
    assert read_date(text).instant is None


def test_a_name_that_means_two_things_is_settled_by_weekday_or_language() -> None:
    """`mar` is March or Tuesday, `listopad` November or October, IST India's or Israel's."""
    assert utc("mar. 3 mars 2026") == utc("Mar 3, 2026") == "2026-03-03 00:00:00"
    assert utc("26 listopada 2026", "pl") == "2026-11-26 00:00:00"
    assert utc("26 listopada 2026", "hr") == "2026-10-26 00:00:00"
    assert utc("Thu, 26 Nov 2026 15:10 IST", "he") == "2026-11-26 13:10:00"
    assert utc("Thu, 26 Nov 2026 15:10 CST", "zh-cn") == "2026-11-26 07:10:00"


def test_what_comes_first_is_settled_by_weekday_land_and_neighbours() -> None:
    """`03/04/2026` is told by the weekday, the feed's language, or the other dates beside it."""
    assert utc("Fri, 03/04/2026") == "2026-04-03 00:00:00"
    assert utc("03/04/2026", "en-us") == "2026-03-04 00:00:00"
    assert utc("03/04/2026", "fr") == utc("03.04.2026") == "2026-04-03 00:00:00"
    assert read_date("03/04/2026").doubt == EITHER
    for dates, first in (
        (("03/04/2026", "03/25/2026"), "2026-03-04"),
        (("03/04/2026", "25/04/2026"), "2026-04-03"),
        (("08/12/2026", "09/12/2026", "10/12/2026"), "2026-12-08"),
        (("12/08/2026", "12/09/2026", "12/10/2026"), "2026-12-08"),
    ):
        document = parse(rss(*((str(n), "a", day) for n, day in enumerate(dates))).encode(), URL)
        instant = document.items[0]["published"]
        assert instant is not None
        assert f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d}" == first
        assert document.warnings == []


def test_two_figures_of_a_year_come_first_where_people_write_them_first() -> None:
    """`26.11.25` is a day of 2025 in Germany and of 2026 in Korea, China, Japan and Hungary."""
    assert utc("26.11.25", "de") == "2025-11-26 00:00:00"
    for language in ("ko", "zh-tw", "ja", "hu"):
        for text in ("26.11.25", "26/11/25", "26-11-25", "26. 11. 25"):
            assert utc(f"{text} 15:10", language) == "2026-11-25 15:10:00", (language, text)


def test_an_impossible_offset_is_not_believed() -> None:
    """`+8000` moved a story eighty hours; now its time is read as UTC, and said to be doubtful."""
    for text in (
        "Thu, 26 Nov 2026 00:00:00 +8000",
        "2026-11-26 00:00 +0060",
        "26 Nov 2026 0:00 -1300",
    ):
        reading = read_date(text)
        assert reading.instant == datetime(2026, 11, 26, tzinfo=UTC).timestamp()
        assert reading.doubt == BAD_OFFSET


def test_what_could_not_be_read_is_said() -> None:
    """Each kind of doubt is one sentence with an example, in every format."""
    text = rss(("1", "a", "sometime"), ("2", "b", "26 Nov 2026 15:10"), ("3", "c", "3/4/2026"))
    feed = {"items": [{"id": "1", "title": "a", "date_published": "sometime"}]}
    feed["version"] = "https://jsonfeed.org/version/1.1"  # type: ignore[assignment]
    site = """<urlset xmlns:news="x"><url><loc>https://paper.example/1</loc><news:news>
    <news:title>a</news:title><news:publication_date>sometime</news:publication_date></news:news>
    </url></urlset>"""
    warnings = parse(text.encode(), URL).warnings
    assert f"1 date {UNKNOWN}: 'sometime'" in warnings
    assert f"1 date {NO_ZONE}: '26 Nov 2026 15:10'" in warnings
    assert f"1 date {EITHER}: '3/4/2026'" in warnings
    for body in (json.dumps(feed), site):
        document = parse(body.encode(), URL)
        assert [item["published"] for item in document.items] == [None]
        assert f"1 date {UNKNOWN}: 'sometime'" in document.warnings


def test_every_format_takes_the_same_dates() -> None:
    """RSS, Atom, RDF, JSON Feed and sitemaps share one reader."""
    date = "lun., 02 mars 2026 06:10:00 +0100"
    bodies = [
        rss(("1", "a", date)),
        f"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id><title>a</title>"
        f"<published>{date}</published></entry></feed>",
        f"<!DOCTYPE x><rss><channel><item><title>a</title><pubDate>{date}</pubDate></item>",
        json.dumps({"items": [{"id": "1", "title": "a", "date_published": date}]}),
        f"<urlset><url><loc>https://a.example/</loc><n:news xmlns:n='n'><n:title>a</n:title>"
        f"<n:publication_date>{date}</n:publication_date></n:news></url></urlset>",
    ]
    for body in bodies:
        (item,) = parse(body.encode(), URL).items
        assert item["published"] == datetime(2026, 3, 2, 5, 10, tzinfo=UTC).timestamp(), body


def test_the_names_are_the_cldrs() -> None:
    """The table of names is what `python -m monitor.parsing.date_names` makes of the CLDR."""
    made = {
        name: tuple(map(date_names.read_meaning, said.split(" ")))
        for name, said in date_names.from_cldr().items()
    }
    assert made == date_names.date_names()


_instants = st.datetimes(datetime(1971, 1, 1), datetime(2068, 1, 1)).map(
    lambda at: at.replace(microsecond=0)
)
_offsets = st.integers(-12 * 4, 14 * 4).map(lambda quarter: quarter * 15)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STRFTIME = (
    "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S %z", "%Y/%m/%d %H:%M:%S %z", "%Y%m%dT%H%M%S%z",
    "%d.%m.%Y %H:%M:%S %z", "%Y年%m月%d日 %H:%M:%S %z", "{day}, %d {month} %Y %H:%M:%S %z",
    "{day} {month} %d %H:%M:%S %z %Y", "{month} %d, %Y %I:%M:%S %p %z",
    "%d-{month}-%Y %H:%M:%S GMT%z",
    "%I:%M:%S%p %z, %d {month} %Y", "%H:%M:%S %z %d.%m.%Y ({day})",
)  # fmt: skip
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@settings(max_examples=300, deadline=None)
@given(_instants, _offsets, st.sampled_from(_STRFTIME))
def test_what_is_written_is_read(at: datetime, minutes: int, form: str) -> None:
    """Any instant, in any zone and form, comes back as itself."""
    there = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    names = form.replace("{day}", _DAYS[at.weekday()]).replace("{month}", _MONTHS[at.month - 1])
    assert read_date(there.strftime(names)).instant == there.timestamp()


@settings(max_examples=300, deadline=None)
@given(
    _instants,
    st.sampled_from([one for one in date_names.LANGUAGES if one not in ("zh", "ja", "ko", "vi")]),
    st.sampled_from(["wide", "abbreviated"]),
    st.sampled_from(["format", "stand-alone"]),
)
def test_months_are_read_in_every_language(
    at: datetime, language: str, width: str, context: str
) -> None:
    """A day written with the month's and the weekday's own names is read in each language."""
    locale = Locale.parse(language, sep="-")
    month = locale.months[context][width][at.month]
    weekday = locale.days[context][width][at.weekday()]
    text = f"{weekday}, {at.day} {month} {at.year} {at:%H:%M:%S}"
    reading = read_date(text, language.partition("-")[0])
    assert reading.instant == at.replace(tzinfo=UTC).timestamp(), text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["", "2026-11-26", "26 Nov 2026 ", " 15:10 "]))
def test_no_text_is_a_traceback(noise: str, some: str) -> None:
    """Whatever stands in a date, with or without a date in it, gives an instant or nothing."""
    reader = DateReader()
    for text in (noise, some + noise, noise + some):
        instant = reader.read(text)
        assert instant is None or -3e9 < instant < 8e9
    reader.learns()
    assert all(isinstance(said, str) for said in reader.warnings())


@settings(max_examples=200, deadline=None)
@given(_instants, st.text("abcxyz~%é漢", min_size=3, max_size=8))
def test_a_date_with_a_word_too_many_is_unknown(at: datetime, word: str) -> None:
    """Nothing is passed over unread: a word that is no part of a date makes it unknown."""
    assert read_date(f"{at:%d %b %Y %H:%M} qq{word}").instant is None
