"""Numbers in words, and words that headlines use for one another. English; others pass through."""

from __future__ import annotations

_NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty
"""
# People and seats of government by their country, and words that headlines use for one another.
_ALIASES = """
usa: american america | britain: british uk | england: english | france: french | germany: german
spain: spanish | italy: italian | russia: russian kremlin moscow | ukraine: ukrainian kyiv kiev
china: chinese beijing | japan: japanese tokyo | korea: korean | india: indian
pakistan: pakistani | afghanistan: afghan | iran: iranian tehran | iraq: iraqi | syria: syrian
israel: israeli idf | palestine: palestinian palestinians | turkey: turkish | egypt: egyptian
lebanon: lebanese | saudi: saudis | venezuela: venezuelan | colombia: colombian
brazil: brazilian | mexico: mexican | canada: canadian | cuba: cuban | argentina: argentine
chile: chilean | peru: peruvian | nigeria: nigerian | kenya: kenyan | thailand: thai
vietnam: vietnamese | indonesia: indonesian | philippines: philippine filipino
australia: australian | denmark: danish | sweden: swedish | norway: norwegian | finland: finnish
poland: polish | netherlands: dutch | belgium: belgian | greece: greek | hungary: hungarian
romania: romanian | switzerland: swiss | austria: austrian | ireland: irish | scotland: scottish
europe: european eu | nepal: nepali nepalese | greenland: greenlandic | sudan: sudanese
ethiopia: ethiopian | somalia: somali | yemen: yemeni | serbia: serbian | georgia: georgian
armenia: armenian | azerbaijan: azerbaijani azeri | bangladesh: bangladeshi | taiwan: taiwanese
portugal: portuguese | ecuador: ecuadorian ecuadorean | bolivia: bolivian | libya: libyan
ceasefire: truce | republican: gop | zelenskyy: zelensky zelenskiy | premier: pm
democrat: dems | federal: feds fed | prison: jail
"""


def _aliases() -> dict[str, str]:
    found = {}
    for group in _ALIASES.replace("\n", "|").split("|"):
        if group.strip():
            word, others = group.split(":")
            found.update({other: word.strip() for other in others.split()})
    return found


NUMBERS = {word: str(value) for value, word in enumerate(_NUMBERS.split())}
NUMBERS |= {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "dozen": "12"}
_ORDINALS = ("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
NUMBERS |= {word: str(value) for value, word in enumerate(_ORDINALS, 3)}
SCALES = {
    **dict.fromkeys(("thousand", "k"), 3),
    **dict.fromkeys(("million", "mn", "m"), 6),
    **dict.fromkeys(("billion", "bn", "b"), 9),
    **dict.fromkeys(("trillion", "tn"), 12),
}
ALIASES = _aliases()
