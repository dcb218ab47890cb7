"""Mails as they are written: three templates of one name give the subject, the text and the HTML."""

from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

TEMPLATES = Path(__file__).parent / "templates"
SENDER_NAME = "Unpuzzle"


@dataclass(frozen=True)
class Mail:
    """A mail to one person. The id is that of the task that sends it: a mail that comes twice can be told by it."""

    to: str
    subject: str
    text: str = field(repr=False)  # it may hold a link that lets its reader in
    html: str = field(repr=False)
    message_id: str

    def as_message(self, sender: str) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = f"{SENDER_NAME} <{sender}>"
        message["To"] = self.to
        message["Subject"] = self.subject
        message["Message-ID"] = self.message_id
        message["Auto-Submitted"] = "auto-generated"  # so that no out-of-office answers
        message.set_content(self.text)
        message.add_alternative(self.html, subtype="html")
        return message


def render(template: str, *, to: str, message_id: str, **values: Any) -> Mail:
    """The mail of the templates `<template>.subject.txt`, `.txt` and `.html`."""
    subject = " ".join(_block(template, "subject.txt", values).split())
    text, html = _block(template, "txt", values), _block(template, "html", values)
    return Mail(to, subject, text, html, message_id)


def _block(template: str, kind: str, values: dict[str, Any]) -> str:
    return _environment().get_template(f"{template}.{kind}").render(values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html"]), undefined=StrictUndefined, trim_blocks=True
    )
