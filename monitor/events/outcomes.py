"""How something ended: a death, a resignation, a verdict, a result, a deal, a strike.

An outcome is news of its own, even where a desk was told of the event before: it gets a message of
its own, not a reply. What a headline only expects ("to resign", "if he wins", "calls on him to
quit") is no outcome.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Word forms by outcome, in the languages of the starter feeds; a blank stands for any blanks.
_FORMS = {
    "death": "dies|died|dead at|is dead|has died|found dead|muere|murió|fallece|falleció|meurt|"
    "est morte?|décède|décédée?|stirbt|gestorben|ist tot|è morto|è morta|muore|morre|morreu|умер|"
    "умерла|скончался|скончалась|помер|померла|zmarł|zmarła|nie żyje|öldü|hayatını kaybetti",
    "resignation": "resigns|resigned|quits|quit|steps? down|stepped down|ousted|sacks?|sacked|"
    "fires|(?:is|was|been|chief|director|boss|minister) (?:fired|dismissed)|toppled|dimite|dimitió|"
    "renuncia|renunció|démissionne|démissionné|tritt zurück|zurückgetreten|si dimette|в отставку|"
    "у відставку|istifa etti|rezygnuje|podał się do dymisji|treedt af",
    "verdict": "convicted|convicts|guilty(?! pleas?)|acquitted|sentenced|jailed|gets life|"
    "cleared of|condenad[oa]|absuelt[oa]|condamnée?|acquittée?|verurteilt|freigesprochen|"
    "condannat[oa]|assolt[oa]|приговор[её]н[аы]?|приговорили|осужд[её]н[аы]?|засуджен[оаи]?|skazan[yao]",
    "ruling": "(?:court|courts|judges?|tribunal|justices|jury|panel|regulator) rules?|ruled|"
    "rules (?:that|against|for|in favou?r)|overturns?|overturned|upholds?|upheld|strikes down|"
    "struck down|blocks|blocked|throws out|sides with|urteilt|anula",
    "result": "wins|won|(?:re-?|is |was |been )elected|elected (?:president|pope|mayor|leader)|"
    "defeats|defeated|beats?|beaten|concedes?|conceded|crowned|loses election|gana|ganó|remporte|"
    "élue?|gewinnt|gewählt|vince|vence|elett[oa]|победил[аи]?|побеждает|одержал[аи]? победу|"
    "переміг|перемогл[аи]|перемагає|wygrywa|wygrał[aey]?|kazandı",
    "deal": "signs?(?! of| that)|signed|agrees?|agreed|seals? deal|reach(?:es|ed)? (?:a )?(?:deal|"
    "agreement|truce)|ratif(?:ies|ied)|firman?|acuerdan|signent|unterzeichne(?:n|t)|einigen sich|"
    "firmano|подписал[аи]?|договорились|підписал[аи]|домовилися|podpisal[iy]|imzaladı",
    "strike": "walks? out|walked out|go(?:es)? on strike|strike (?:begins|began|starts|started|"
    "ends|ended|is over|called off|suspended)|ends? strike|ended strike|back to work|ceasefire "
    "(?:begins|takes effect|holds|ends)|beginnen streik|streik beendet",
}
_DENSE = {
    "death": "去世|逝世|死去|يتوفى|توفي|وفاة",
    "resignation": "辞职|辭職|辞任|استقال|يستقيل",
    "verdict": "判处|判刑|被判|有罪|حكم على",
    "result": "当选|當選|胜选|獲勝|获胜|فاز|يفوز",
    "deal": "签署|簽署|达成协议|署名|يوقع|وقع",
}
KINDS = tuple(_FORMS)
_WORDS = {
    kind: re.compile(rf"\b(?:{forms.replace(' ', chr(92) + 's+')})\b", re.IGNORECASE)
    for kind, forms in _FORMS.items()
}
_SIGNS = {kind: re.compile(signs) for kind, signs in _DENSE.items()}
# What makes an outcome something expected, asked or denied, up to three words before it.
_EXPECTED = re.compile(
    r"\b(?:to|will|may|might|could|would|should|if|set|expected|likely|urges?|urged|calls?|demands?|"
    r"demanding|before|ahead|refuses?|refused|won.t|not|never|denies|denied|threatens?|vows?|wants?|"
    r"hopes?|seeks?|poised|due|how|why|who|when|whether|can|must|almost|nearly|after|since|year|years|"
    r"что|если|может|чтобы|якщо|може|würde|könnte|soll|wird|pourrait|doit|va|vai|podría|va a)"
    r"(?:\s+[\w’'-]+){0,2}\s*$",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def outcomes_in(headline: str) -> tuple[str, ...]:
    """Return the kinds of outcome that a headline reports as having happened."""
    if headline.rstrip().endswith(("?", "？")):
        return ()
    found = []
    for kind, words in _WORDS.items():
        for match in words.finditer(headline):
            if not _EXPECTED.search(headline[: match.start()]):
                found.append(kind)
                break
        else:
            if kind in _SIGNS and _SIGNS[kind].search(headline):
                found.append(kind)
    return tuple(found)


def bits(headline: str) -> int:
    """Return the outcomes of a headline as one number, a bit for each of `KINDS`."""
    return sum(map(bit, outcomes_in(headline)))


def bit(kind: str) -> int:
    """Return the bit of one of `KINDS`."""
    return 1 << KINDS.index(kind)
