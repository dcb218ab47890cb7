"""Texts that people write: HTML made safe, titles made into slugs, answers made alike."""

import re
import unicodedata

import nh3
from slugify import slugify

TAGS = {
    "a", "b", "blockquote", "br", "code", "em", "figcaption", "figure", "h2", "h3", "h4", "hr", "i", "img", "li", "ol", "p",
    "pre", "s", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title", "width", "height"}, "code": {"class"}}
WORDS_A_MINUTE = 200


def safe_html(html: str) -> str:
    """The HTML without what could run, be mistaken for the page around it, or leak who reads it."""
    return nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https", "mailto"})


def slug(title: str, fallback: str) -> str:
    """A title in URLs, in ASCII; `fallback` where nothing of it can be written so."""
    return slugify(title, max_length=100, word_boundary=True) or fallback


def folded(text: str) -> str:
    """The text without what makes no difference to whoever reads it: case, blanks, and ways of writing the same letter."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def reading_seconds(html: str) -> int:
    """How long a text takes to read at 200 words a minute."""
    words = re.findall(r"\w+", nh3.clean(html, tags=set()))
    return round(len(words) * 60 / WORDS_A_MINUTE)


def containing(searched: str) -> str:
    """A pattern of LIKE for whatever has this in it."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", searched) + "%"
