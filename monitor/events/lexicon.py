"""Words that change what a desk knows: confirmations, denials, endings, corrections.

Stems (English, Snowball) by the status they announce. Small on purpose; novelty also looks at
numbers and names, which need no list.
"""

from __future__ import annotations

from monitor.events.text import stem

_WORDS = {
    "confirmed": "confirms confirmed verifies verified identified",
    "denied": "denies denied refutes refuted rejects rejected dismisses dismissed",
    "ended": "ends ended halts halted lifted reopens reopened suspended cancels cancelled canceled "
    "extinguished contained over completes completed concludes concluded collapses",
    "agreed": "agrees agreed signs signed approves approved ratifies ratified passes passed deal",
    "killed": "kills killed dies died dead toll",
    "held": "arrests arrested detains detained charged charges indicted convicted sentenced guilty "
    "acquitted extradited captured caught surrenders",
    "left": "resigns resigned quits fired ousted sacked steps",
    "claimed": "claims claimed responsibility",
    "freed": "freed released rescues rescued",
    "found": "found recovered",
    "started": "launches launched begins began starts started invades invaded declares declared",
    "struck": "strikes struck attacks attacked explodes exploded crashes crashed",
    "ruled": "rules ruled overturns overturned blocks blocked upholds upheld",
    "delayed": "delays delayed postpones postponed",
    "won": "wins won elected defeats defeated loses lost",
    "warned": "warns warned evacuates evacuated evacuation",
}
STATUSES: dict[str, str] = {
    stem(word): status for status, words in _WORDS.items() for word in words.split()
}

CORRECTION_PHRASES = (
    "correction:", "corrected:", "corrects", "(corrected)", "[corrected]", "clarification:",
    "retraction:", "retracts", "retracted", "withdrawn:", "kill notice", "editor's note:",
    "this story has been corrected", "this article has been corrected", "this article was amended",
    "an earlier version of this",
)  # fmt: skip
