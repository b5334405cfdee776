"""Judges the acceptance run: every story analysed, every alert told, none told twice."""

import json
import sys
from collections import Counter
from pathlib import Path

published = int(sys.argv[1])
tally = json.loads(Path(sys.argv[2]).read_text())
messages = json.loads(Path(sys.argv[3]).read_text())
messages = [message for room in messages["rooms"].values() for message in room]

told = Counter(
    alert
    for message in messages
    for alert in (message.get("metadata") or {}).get("event_payload", {}).get("alerts", [])
)
twice = sum(n - 1 for n in told.values())
untold = tally["alerts"] - len(told)
print(f"      published {published}, analysed {tally['analysed']}, dead letters {tally['dead']}")
print(
    f"      alerts decided {tally['alerts']}, messages in Slack {len(messages)}, "
    f"alerts in them {len(told)}: {untold} untold, {twice} told twice"
)
print(f"      canary {'arrives' if tally['canary_ok'] else 'LOST'}")
fine = (
    tally["analysed"] == published
    and tally["dead"] == 0
    and twice == untold == 0
    and len(told) >= 1
    and tally["canary_ok"]
    and tally["waiting"] == 0
)
sys.exit(0 if fine else 1)
