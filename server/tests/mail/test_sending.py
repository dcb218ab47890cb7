"""Mail goes out by real SMTP, as text and HTML, and is kept for whoever runs the server where there is none."""

import asyncio
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.smtp import AuthResult
from aiosmtplib import SMTPAuthenticationError

from harness import Api, Server
from postman import LINK, Postman
from smtp_server import smtp_server
from unpuzzle_server import outbox
from unpuzzle_server.mail.gateway import SmtpMailer
from unpuzzle_server.mail.message import TEMPLATES, Mail, render
from unpuzzle_server.serving import ServeError

RESET, CONFIRM = "/api/v1/auth/password/reset/", "/api/v1/auth/password/reset/confirm/"
SENDER = "no-reply@example.com"


class Mailbox:
    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refuses = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - as aiosmtpd calls it
        if self.refuses:
            return "451 not now"
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 taken"


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"us er", b"p@ss"), handled=False)  # else it answers nothing


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with smtp_server(box, authenticator=authenticate, auth_require_tls=False, auth_exclude_mechanism=["LOGIN"]) as port:
        yield box, port


def send(url: str, mail: Mail) -> None:
    asyncio.run(SmtpMailer(url, SENDER).send(mail))


def a_mail(**values: Any) -> Mail:
    link = "https://app.example.com/reset-password?token=abc"
    return render("password_reset", to="ada@example.com", message_id="<1@example.com>", **{"name": "Ada", "link": link, **values})


def test_a_mail_arrives_as_text_and_html(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    send(f"smtp://127.0.0.1:{port}", a_mail(name="Zoë <b>"))
    (message,) = box.messages
    text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert (message["To"], message["From"]) == ("ada@example.com", f"Unpuzzle <{SENDER}>")
    assert (message["Subject"], message["Message-ID"]) == ("Set a new password", "<1@example.com>")
    assert "Hello Zoë <b>," in text
    assert "Hello Zoë &lt;b&gt;," in html
    assert LINK.search(text)[0] in html  # type: ignore[index]


def test_a_server_may_ask_for_a_password(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    send(f"smtp://us%20er:p%40ss@127.0.0.1:{port}", a_mail())
    assert len(box.messages) == 1
    with pytest.raises(SMTPAuthenticationError):
        send(f"smtp://us%20er:wrong@127.0.0.1:{port}", a_mail())


def test_the_link_that_a_real_smtp_server_received_works_once(
    api: Api, server: Server, mailbox: tuple[Mailbox, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    box, port = mailbox
    person, postman = api.sign_up(), Postman(server)
    postman.deliver(person.email)
    api.post(RESET, json={"email": person.email})
    postman.deliver(person.email, smtp_url=f"smtp://127.0.0.1:{port}")
    (message,) = box.messages
    assert message["To"] == person.email
    link = LINK.search(message.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert link
    assert link[0].startswith("https://app.unpuzzle.com/reset-password?token=")
    body = {"token": link[0].partition("=")[2], "password": "another horse, another battery"}
    assert [api.post(CONFIRM, json=body).status_code for _ in range(2)] == [200, 400]


def test_a_mail_that_nobody_took_is_tried_again_under_the_same_id(api: Api, server: Server, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    person, postman, url = api.sign_up(), Postman(server), f"smtp://127.0.0.1:{port}"
    box.refuses = True
    postman.deliver(person.email, smtp_url=url)
    assert [state for (state,) in server.sql("SELECT state FROM tasks WHERE args->>'email' = %s", person.email)] == ["waiting"]
    box.refuses = False
    task_id = postman.waiting(person.email)[0][0]
    postman.deliver(person.email, smtp_url=url)
    assert [message["Message-ID"] for message in box.messages] == [f"<{task_id}@unpuzzle.com>"]
    assert postman.waiting(person.email) == []


def test_no_secret_shows_where_a_mailer_is_shown() -> None:
    assert "p%40ss" not in repr(SmtpMailer("smtp://user:p%40ss@mail.example.com:587", SENDER))
    assert "token=abc" not in repr(a_mail())


def test_every_template_has_a_subject_a_text_and_html() -> None:
    names = {path.name.partition(".")[0] for path in TEMPLATES.iterdir()} - {"layout"}
    for name in names:
        assert all((TEMPLATES / f"{name}.{kind}").exists() for kind in ("subject.txt", "txt", "html"))


def test_without_smtp_mails_are_kept_for_whoever_runs_the_server(api: Api, server: Server) -> None:
    person, postman = api.sign_up(), Postman(server)
    postman.deliver(person.email)
    (mail,) = postman.mails(person.email)
    listed = outbox.list_mails(server.owner_url, 1000)
    line = next(line for line in listed.splitlines() if person.email in line)
    shown = outbox.show_mail(server.owner_url, line.split()[0])
    assert f"To: {person.email}" in shown
    assert mail.token in shown
    assert outbox.show_mail(server.owner_url, "last")


def test_a_mail_that_is_not_there_is_said_so(server: Server) -> None:
    with pytest.raises(ServeError, match="There is no such mail: see `unpuzzle-server outbox list`"):
        outbox.show_mail(server.owner_url, uuid4().hex)
