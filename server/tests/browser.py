"""A browser in front of the OAuth sandbox: opens its consent page, fills it in, and goes where it leads."""

import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import httpx

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
APP_URL = "https://app.unpuzzle.com/auth/callback"
Fields = dict[str, str]


@dataclass(frozen=True)
class Visitor:
    """Who sits in front of it, and what they tell the sandbox."""

    email: str
    name: str = "Grace Hopper"
    verified: bool = True
    answer: str = "allow"

    @property
    def fields(self) -> Fields:
        given = {"email": self.email, "name": self.name, "answer": self.answer}
        return {**given, "verified": "yes"} if self.verified else given


class Browser:
    """Keeps cookies, as browsers do, and follows no redirect by itself."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.client = httpx.Client(timeout=30)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def consent(self, auth_url: str, visitor: Visitor, **changes: str) -> httpx.Response:
        """What the provider answers to a filled-in consent page."""
        page = self.client.get(auth_url)
        assert page.status_code == 200, page.text
        return self.client.post(auth_url, data={**hidden(page), **visitor.fields, **changes})

    def come_back(self, left: httpx.Response) -> httpx.Response:
        """What this server answers to the browser that a provider sends back."""
        if left.status_code == 200:  # a page that posts itself
            return self.client.post(f"{self.base_url}/api/v1/auth/oauth/callback/form/", data=hidden(left))
        return self.client.get(left.headers["location"])

    def walk(self, auth_url: str, visitor: Visitor) -> Fields:
        """What the app gets to know when the visitor has been to the provider and back."""
        back = self.come_back(self.consent(auth_url, visitor))
        assert back.status_code in (302, 303), back.text
        return query(back.headers["location"])


def hidden(page: httpx.Response) -> Fields:
    return {name: unescape(value) for name, value in HIDDEN.findall(page.text)}


def query(url: str) -> Fields:
    return dict(parse_qsl(urlsplit(url).query))
