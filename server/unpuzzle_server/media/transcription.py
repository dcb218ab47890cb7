"""What is said in a sound, by OpenAI's audio API or whatever speaks as it does. It takes a third of an hour at a time."""

import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from unpuzzle_server.kernel.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 600
"""For one piece: the answer comes when all of it is heard."""
RETRIES = 2
LANGUAGES = """
    af afrikaans ar arabic az azerbaijani be belarusian bg bulgarian bs bosnian ca catalan cs czech cy welsh da danish de german
    el greek en english es spanish et estonian fa persian fi finnish fr french gl galician he hebrew hi hindi hr croatian
    hu hungarian hy armenian id indonesian is icelandic it italian ja japanese kk kazakh kn kannada ko korean lt lithuanian
    lv latvian mi maori mk macedonian mr marathi ms malay ne nepali nl dutch no norwegian pl polish pt portuguese ro romanian
    ru russian sk slovak sl slovenian sr serbian sv swedish sw swahili ta tamil th thai tl tagalog tr turkish uk ukrainian
    ur urdu vi vietnamese zh chinese
"""
CODES = dict(zip(LANGUAGES.split()[1::2], LANGUAGES.split()[::2], strict=True))
"""By the English names with which the API tells what it has heard."""
UNDETERMINED = "und"


@dataclass(frozen=True)
class Said:
    """What is said in one stretch, in milliseconds from the beginning of the sound."""

    start_ms: int
    end_ms: int
    text: str


class Unheard(Exception):
    """The API will never take this; the message says so without what it said, which may quote a key."""


@dataclass(frozen=True)
class Transcriber:
    """The client of one deployment."""

    api_key: str = field(repr=False)
    base_url: str
    """Empty for OpenAI's own."""
    model: str

    @classmethod
    def of(cls, settings: Settings) -> "Transcriber | None":
        """None where the settings have no key."""
        key = settings.transcription_api_key or settings.openai_api_key
        base_url = settings.transcription_base_url or settings.openai_base_url
        return cls(key, base_url, settings.transcription_model) if key else None

    @cached_property
    def _api(self) -> Any:
        """Made late: the library takes a second to import."""
        import openai

        return openai.AsyncOpenAI(
            api_key=self.api_key, base_url=self.base_url or None, timeout=TIMEOUT_SECONDS, max_retries=RETRIES
        )

    async def close(self) -> None:
        if "_api" in vars(self):
            await self._api.close()

    async def hear(self, sound: Path) -> tuple[list[Said], str]:
        """What is said and in which language; raises Unheard, or what the library raises where another time may do."""
        import openai

        try:
            heard = await self._api.audio.transcriptions.create(
                file=sound, model=self.model, response_format="verbose_json", timestamp_granularities=["segment"]
            )
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            log.error("the audio API refuses this server", extra={"status": error.status_code, "model": self.model})
            raise Unheard("This server is not let in where it has sounds transcribed.") from None
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            log.warning("the audio API refuses a sound", extra={"status": error.status_code, "model": self.model})
            raise Unheard("What is said in it can't be made out.") from None
        segments = [
            Said(round(max(each.start, 0) * 1000), round(each.end * 1000), each.text.replace("\0", "").strip())
            for each in heard.segments or []
        ]
        return segments, CODES.get(str(heard.language).lower(), UNDETERMINED)
