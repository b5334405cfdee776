"""Word lists the reduction of a text works with. English; other languages pass through unlisted."""

from __future__ import annotations

_FUNCTION_WORDS = """
a about after again against all also am amid an and any are as at be because been before being
between both but by can could did do does down during each even ever few for from further get gets
had has have he her here hers him his how i if in into is it its just may me might more most much
must my near new no nor not now of off on once only or other our out over own per said say says she
should since so some still such than that the their them then there these they this those through
to too under until up upon us very via was we were what when where which while who whom why will
with within without would yet you your s t re ve ll d m
"""
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


FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
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
