"""Services of one's own that Wirewatch may ask: translation, a language model. All are optional."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from monitor.config.value_types import Duration


class Settings(BaseModel):
    """Base of every settings class: frozen, and unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class EndpointSettings(Settings):
    """A service of one's own that Wirewatch may ask; alerts never wait for it beyond a deadline."""

    url: SecretStr | None = Field(None, description="Its address. Default: none is asked.")
    key: SecretStr | None = Field(None, description="Its API key. Write ${VARIABLE}.")
    model: str = Field("", description="Name of the model, where the service has several.")
    deadline: Duration = Field(3.0, description="What is not answered by then is left out.")
    per_day: int = Field(1000, ge=1, description="Questions a day (UTC), at most.")


class TranslationSettings(EndpointSettings):
    """Headlines in the newsroom's language, by a translation service of one's own (optional)."""

    api: Literal["libretranslate", "openai"] = Field(
        "libretranslate",
        description="How the service is spoken to: LibreTranslate's API, or one compatible with "
        "OpenAI's chat completions (url up to /v1).",
    )


class LanguageModelSettings(EndpointSettings):
    """A language model of one's own as second judge of matches near a threshold (optional).

    Any address compatible with OpenAI's chat completions will do, up to /v1. It can hold a match
    back, never raise a score.
    """

    near: float = Field(
        0.15, ge=0.01, le=0.5, description="How far above a threshold a match is shown to it."
    )
    recaps: bool = Field(
        False,
        description="Let it sum up an event of three lines or more in its updates, from those "
        "lines alone, marked as the model's, with the outlets.",
    )
