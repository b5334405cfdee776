"""What the made-up outlets publish, and when. All names of outlets and all texts are invented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """One article: seconds after the start (None: there from the beginning), outlet, text."""

    at: float | None
    outlet: str
    title: str
    summary: str
    note: str = ""  # what the reader is told to watch for


OUTLETS = {
    "harbour-wire": "Harbour Wire",
    "northern-post": "Northern Post",
    "meridian-daily": "Meridian Daily",
    "evening-ledger": "Evening Ledger",
}

_STRIKE = (
    "A wave of drones hit two power stations near Odesa before dawn, cutting electricity to about "
    "200,000 homes, the regional governor said. Repair crews were waiting for the all-clear."
)

PIECES = (
    Piece(None, "harbour-wire", "Orchestra names its first guest conductor from Chile",
          "The appointment starts in the autumn season and runs for three years."),
    Piece(None, "northern-post", "Ferry timetable changes from Monday",
          "Two early sailings move by ten minutes while the pier is repaired."),
    Piece(None, "meridian-daily", "Envoys of Washington and Moscow agree to meet again on Ukraine",
          "The two sides said a date for further talks on ending the war would follow soon."),
    Piece(None, "evening-ledger", "Bakers brace for a dearer winter as butter prices climb",
          "Small shops say they cannot pass on the whole rise to their customers."),
    Piece(3, "harbour-wire", "Drones strike two power stations near Odesa, 200,000 homes dark",
          _STRIKE, "a happening on a watched topic: an alert, with its reason"),
    Piece(7, "northern-post", "Drones strike two power stations near Odesa, 200,000 homes dark",
          _STRIKE, "the same wire text under another masthead: held back as a copy"),
    Piece(11, "evening-ledger", "Museum finds a forgotten map of the harbour in its attic",
          "Curators believe the sheet was drawn by a pilot in the eighteenth century.",
          "nothing anyone watches for: silence"),
    Piece(14, "meridian-daily", "Odesa power plants hit in drone attack, grid operator says",
          "Ukraine's grid operator confirmed damage at two plants near Odesa and ordered emergency "
          "power cuts across the region.",
          "a second, independent source: it joins the first alert"),
    Piece(19, "meridian-daily", "US and Russian negotiators open Ukraine talks in Istanbul",
          "Delegations from the United States and Russia began a two-day round on a ceasefire in "
          "Ukraine, with Turkish officials hosting.",
          "another topic: an alert of its own"),
    Piece(24, "evening-ledger", "Odesa: homes without power now 350,000 after plant strikes",
          "The number of homes without electricity after the drone strikes on two power stations "
          "near Odesa rose to 350,000, officials said, as a third substation failed.",
          "a new number: an update under the first alert"),
)  # fmt: skip

LENGTH = 33.0  # seconds

TOPICS = """\
topics:
  - id: energy-infrastructure-strikes
    name: Energy infrastructure strikes
    description: Attacks by drones, missiles or sabotage on power plants, grids and refineries.
    examples:
      - Missiles damage a thermal power plant and leave a city without electricity
      - Drone attack sets an oil refinery on fire
  - id: us-russia-ukraine-talks
    name: US–Russia Ukraine talks
    description: Negotiations between the United States and Russia on ending the war in Ukraine.
    examples:
      - American and Russian delegations discuss a ceasefire in Ukraine
      - Kremlin and White House envoys meet on a peace plan for Ukraine
"""
