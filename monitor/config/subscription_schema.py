"""The settings of subscriptions: what one person takes, and when.

Field descriptions are the reference documentation.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from monitor.config.mail_addresses import read_mail_address
from monitor.config.names import digest, readable_id
from monitor.config.pauses import Pause, Pauses
from monitor.config.services import Settings
from monitor.config.value_types import TimeOfDay, Words, ZoneOrNone, as_list

DigestTimes = Annotated[
    tuple[Annotated[TimeOfDay, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")], ...],
    BeforeValidator(as_list, json_schema_input_type=str | list[str]),
]


class Subscription(Settings):
    """What one person is sent, in Slack as a direct message or by mail, beside the channels."""

    slack: str = Field("", description="The person's member ID in Slack (U0123ABCD).")
    mail: str = Field("", description="The person's address. Give either `slack` or `mail`.")
    topics: Words = Field(
        (), description="Ids of topics; `*` stands for any letters. Default: all."
    )
    min_severity: Literal["none", "routine", "notable", "major", "flash"] = Field(
        "none", description="Leave out happenings of less consequence than this."
    )
    digest: DigestTimes = Field(
        (), description='Times of day for digests: ["08:00", "18:00"]. Default: at once.'
    )
    paused: Pauses = Field(
        (),
        description='When nothing is sent: hours of every day ("22:00-07:00"), or days '
        '("2026-12-24 to 2027-01-02"). What comes meanwhile follows as one digest.',
    )
    timezone: ZoneOrNone = Field(
        "", description="Zone of all these times (IANA). Default: ops.timezone."
    )
    via: str = Field(
        "", description="Channel whose bot or mail server sends. Default: the first of its kind."
    )

    @property
    def recipient(self) -> str:
        """The name of the person's channel; every subscription of one person has the same."""
        if self.slack:
            return f"dm.{self.slack.lower()}"
        _, box, domain = read_mail_address(self.mail)
        return f"mail.{readable_id(box)[:40]}-{digest(f'{box}@{domain}'.casefold())}"

    @property
    def is_over(self) -> bool:
        """Whether it takes nothing more."""
        return False

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """The pauses, read."""
        return tuple(Pause.parse(text) for text in self.paused)


class StoredSubscription(Subscription):
    """A subscription that somebody made in Slack.

    An ended one takes nothing more; it is kept until what waited for its person is sent.
    """

    model_config = ConfigDict(extra="ignore")  # a newer version may have stored more

    by: str = Field("", description="Who made it, as Slack names them.")
    made: float = Field(0.0, description="When it was made, Unix seconds.")
    ended: float = Field(0.0, description="When it was ended, or 0.")

    @property
    def is_over(self) -> bool:
        """Whether it takes nothing more."""
        return self.ended > 0
