"""Signing in, where the tokens are, and which server and whose token a command takes."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from loopback import Reply, error

from unpuzzle_cli import __version__
from unpuzzle_cli.credentials import Credentials
from unpuzzle_sdk import Tokens

KEYRING = """
import json, os, pathlib
from keyring.backend import KeyringBackend

class Backend(KeyringBackend):
    priority = 9
    file = pathlib.Path(os.environ["TEST_KEYRING"])
    def kept(self): return json.loads(self.file.read_text()) if self.file.exists() else {}
    def get_password(self, service, name): return self.kept().get(name)
    def set_password(self, service, name, value): self.file.write_text(json.dumps({**self.kept(), name: value}))
    def delete_password(self, service, name):
        kept = self.kept(); del kept[name]; self.file.write_text(json.dumps(kept))

class Locked(Backend):
    def get_password(self, *_): raise RuntimeError("locked")
    set_password = delete_password = get_password
"""


@pytest.fixture
def api(stand_in: Any, examples: dict[str, Any]) -> Any:
    """A server that knows one account and one token."""

    def answer(received: Any) -> Reply:
        if received.path.endswith("/signin/"):
            good = received.json == {"email": "user@example.com", "password": "open sesame"}
            return Reply(200, examples["AuthSession"]) if good else error(401, "AUTH_INVALID_CREDENTIALS")
        if received.headers.get("authorization") != "Bearer eyJhbGciOi":
            return error(401, "AUTH_REQUIRED")
        return Reply(200, examples["User"] if received.path.endswith("/profile/") else {"message": "Signed out"})

    stand_in.respond = answer
    return stand_in


def login(unpuzzle: Any, password: str = "open sesame", **changes: str) -> Any:
    return unpuzzle("auth", "login", "--email", "user@example.com", "--password-stdin", stdin=f"{password}\n", **changes)


def test_signing_in_on_a_terminal_asks_and_shows_no_secret(terminal: Any, api: Any) -> None:
    seen, code = terminal("auth", "login", answers={"E-mail address: ": "user@example.com", "Password: ": "open sesame"})
    assert (code, "Signed in to http://" in seen) == (0, True)
    assert "open sesame" not in seen
    assert "eyJhbGciOi" not in seen
    assert terminal("auth", "status")[1] == 0


def test_tokens_are_kept_in_a_file_that_only_its_owner_reads_and_that_is_said_once(unpuzzle: Any, api: Any, folder: Path) -> None:
    first = login(unpuzzle)
    assert (first.returncode, first.stdout) == (0, "")
    assert "the tokens are kept in" in first.stderr
    assert "the tokens are kept in" not in login(unpuzzle).stderr
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.glob("tokens-*.json")] == [0o600]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    shown = json.loads(unpuzzle("auth", "status", "--json").stdout)
    assert (shown["email"], shown["token"]) == ("user@example.com", str(next(folder.glob("tokens-*.json"))))


def test_a_keyring_is_used_where_there_is_one_that_works(
    process: Any, environment: dict[str, str], api: Any, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "fake_keyring.py").write_text(KEYRING)
    path = f"{tmp_path}:{environment['PYTHONPATH']}"
    own = {"UNPUZZLE_NO_KEYRING": "", "TEST_KEYRING": str(tmp_path / "ring.json"), "PYTHONPATH": path}
    works = {**own, "PYTHON_KEYRING_BACKEND": "fake_keyring.Backend"}
    assert login(process, **works).returncode == 0
    assert not list(folder.glob("tokens-*.json"))
    assert json.loads(process("auth", "status", "--json", **works).stdout)["token"] == "keyring"
    assert process("auth", "logout", **works).returncode == 0
    assert process("auth", "status", **works).returncode == 4
    locked = {**own, "PYTHON_KEYRING_BACKEND": "fake_keyring.Locked"}
    assert "the tokens are kept in" in login(process, **locked).stderr
    assert process("auth", "status", **locked).returncode == 0


def test_a_keyring_is_opened_once_until_its_tokens_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("unpuzzle_cli.config.folder", lambda: tmp_path)
    opened: list[None] = []
    ring: dict[str, str] = {}

    class Ring:
        def get_password(self, service: str, name: str) -> str | None:
            opened.append(None)
            return ring.get(name)

        def set_password(self, service: str, name: str, value: str) -> None:
            ring[name] = value

    monkeypatch.setattr("unpuzzle_cli.credentials._Keyring._backend", lambda self: Ring())
    mine, other = Credentials("default", "http://x"), Credentials("default", "http://x")
    mine.save(Tokens("a"))
    assert [mine.load() for _ in range(3)] == [Tokens("a")] * 3
    assert len(opened) == 1
    other.save(Tokens("b"))
    with mine.lock():
        assert mine.load() == Tokens("b")


def test_a_wrong_password_is_told_and_never_shown(unpuzzle: Any, api: Any) -> None:
    outcome = login(unpuzzle, "s3cr3t-guess")
    assert (outcome.returncode, "unpuzzle auth login" in outcome.stderr) == (4, True)
    assert "s3cr3t-guess" not in outcome.stderr


def test_signing_out_forgets_the_tokens_even_if_the_server_has_forgotten_them_before(
    unpuzzle: Any, api: Any, folder: Path
) -> None:
    login(unpuzzle)
    api.respond = lambda _: error(401, "AUTH_INVALID_TOKEN")
    assert unpuzzle("auth", "logout").returncode == 0
    assert not list(folder.glob("tokens-*.json"))
    assert unpuzzle("auth", "logout").returncode == 4


def test_signing_out_forgets_the_tokens_while_the_server_is_away_and_says_what_lives_on(
    unpuzzle: Any, api: Any, folder: Path
) -> None:
    login(unpuzzle)
    api.close()
    outcome = unpuzzle("auth", "logout")
    assert (outcome.returncode, "lives on at the server" in outcome.stderr) == (0, True)
    assert not list(folder.glob("tokens-*.json"))


def test_signing_out_leaves_the_session_of_another_alone_where_a_token_is_set(unpuzzle: Any, api: Any, folder: Path) -> None:
    login(unpuzzle)
    count = len(api.received)
    outcome = unpuzzle("auth", "logout", UNPUZZLE_TOKEN="another")
    assert (outcome.returncode, "unset UNPUZZLE_TOKEN" in outcome.stderr) == (2, True)
    assert (len(api.received), len(list(folder.glob("tokens-*.json")))) == (count, 1)


def test_the_token_can_be_given_to_other_programs(unpuzzle: Any, api: Any) -> None:
    login(unpuzzle)
    assert unpuzzle("auth", "token").stdout == "eyJhbGciOi\n"


def test_tokens_are_printed_only_on_request(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: Reply(201, examples["AuthSession"])
    arguments = ["auth", "sign-up", "--email", "user@example.com", "--full-name", "John Doe", "--password-stdin"]
    shown = unpuzzle(*arguments, stdin="open sesame\n")
    assert (shown.returncode, "eyJhbGciOi" in shown.stdout, "user@example.com" in shown.stdout) == (0, False, True)
    assert json.loads(unpuzzle(*arguments, "--json", stdin="open sesame\n").stdout)["access_token"] == "eyJhbGciOi"


def test_tokens_of_one_server_are_never_sent_to_another(unpuzzle: Any, api: Any) -> None:
    login(unpuzzle)
    count = len(api.received)
    assert unpuzzle("auth", "get-profile", "--base-url", api.url.replace("127.0.0.1", "localhost")).returncode == 4
    assert [each.headers.get("authorization") for each in api.received[count:]] == [None]
    unpuzzle("config", "set", "base_url", api.url, "--profile", "other")
    assert unpuzzle("auth", "get-profile", "--profile", "other").returncode == 4


def test_a_token_of_the_environment_wins_over_what_was_kept(unpuzzle: Any, api: Any) -> None:
    login(unpuzzle)
    assert unpuzzle("auth", "get-profile", UNPUZZLE_TOKEN="mine").returncode == 4
    assert api.received[-1].headers["authorization"] == "Bearer mine"
    assert unpuzzle("auth", "get-profile", UNPUZZLE_TOKEN="eyJhbGciOi").returncode == 0
    assert login(unpuzzle, UNPUZZLE_TOKEN="mine").returncode == 2


def test_a_flag_wins_over_the_environment_and_that_over_the_profile(unpuzzle: Any, stand_in: Any) -> None:
    def asked(*arguments: str, environment: str) -> str:
        unpuzzle("courses", "list", *arguments, UNPUZZLE_BASE_URL=environment)
        return str(stand_in.received[-1].path.split("/")[1])

    assert unpuzzle("config", "set", "base_url", f"{stand_in.url}/profile").returncode == 0
    assert unpuzzle("config", "get", "base_url").stdout == f"{stand_in.url}/profile\n"
    assert asked(environment="") == "profile"
    assert asked(environment=f"{stand_in.url}/environment") == "environment"
    assert asked("--base-url", f"{stand_in.url}/flag", environment=f"{stand_in.url}/environment") == "flag"
    before = unpuzzle("--base-url", f"{stand_in.url}/before", "courses", "list")
    assert (before.returncode, stand_in.received[-1].path) == (0, "/before/api/v1/courses/")


def test_production_is_the_default(unpuzzle: Any) -> None:
    outcome = unpuzzle("auth", "status", UNPUZZLE_BASE_URL="")
    assert outcome.returncode == 4
    assert outcome.stderr.startswith("unpuzzle: Nobody is signed in to https://api.unpuzzle.com.")


def test_a_flag_wins_over_the_profile_of_the_environment(unpuzzle: Any, stand_in: Any) -> None:
    unpuzzle("config", "set", "base_url", f"{stand_in.url}/flag", "--profile", "flag")
    unpuzzle("config", "set", "base_url", f"{stand_in.url}/environment", "--profile", "environment")
    unpuzzle("courses", "list", "--profile", "flag", UNPUZZLE_PROFILE="environment", UNPUZZLE_BASE_URL="")
    assert stand_in.received[-1].path == "/flag/api/v1/courses/"


def test_profiles_keep_their_settings_apart(unpuzzle: Any, stand_in: Any) -> None:
    unpuzzle("config", "set", "base_url", "http://127.0.0.1:1")
    unpuzzle("config", "set", "base_url", stand_in.url + "/", "--profile", "local one")
    assert unpuzzle("config", "list").stdout.splitlines() == [
        "default\tbase_url\thttp://127.0.0.1:1",
        f"local one\tbase_url\t{stand_in.url}",
    ]
    assert unpuzzle("courses", "list", "--profile", "local one", UNPUZZLE_BASE_URL="").returncode == 0
    assert unpuzzle("courses", "list", UNPUZZLE_PROFILE="local one", UNPUZZLE_BASE_URL="").returncode == 0
    unpuzzle("config", "unset", "base_url")
    assert unpuzzle("config", "list").stdout == f"local one\tbase_url\t{stand_in.url}\n"


def test_a_profile_that_is_mistyped_is_refused_with_those_that_are_kept(unpuzzle: Any, stand_in: Any) -> None:
    unpuzzle("config", "set", "base_url", stand_in.url, "--profile", "staging")
    for named in ({"UNPUZZLE_PROFILE": "stagign"}, {}):
        outcome = unpuzzle("courses", "list", *([] if named else ["--profile", "stagign"]), **named, UNPUZZLE_BASE_URL="")
        assert (outcome.returncode, stand_in.received) == (2, [])
        assert "There is no profile stagign. There are: default, staging" in outcome.stderr


def test_beside_an_address_a_profile_need_not_be_kept(unpuzzle: Any, stand_in: Any) -> None:
    """It may have been signed in by an earlier version, and leads nowhere by mistake."""
    assert unpuzzle("courses", "list", "--profile", "staging", "--base-url", stand_in.url).returncode == 0
    assert unpuzzle("courses", "list", UNPUZZLE_PROFILE="staging", UNPUZZLE_BASE_URL=stand_in.url).returncode == 0


def test_a_profile_that_is_signed_in_to_is_kept_with_its_server(unpuzzle: Any, api: Any) -> None:
    arguments = ["auth", "login", "--email", "user@example.com", "--password-stdin", "--profile", "staging"]
    assert unpuzzle(*arguments, stdin="open sesame\n").returncode == 0
    assert unpuzzle("config", "list").stdout == f"staging\tbase_url\t{api.url}\n"
    assert unpuzzle("auth", "get-profile", "--profile", "staging", UNPUZZLE_BASE_URL="").returncode == 0


def test_a_key_is_asked_for_on_a_terminal_without_showing_it(terminal: Any, api: Any) -> None:
    seen, code = terminal("auth", "login", "--with-key", answers={"Api key: ": "eyJhbGciOi"})
    assert (code, "eyJhbGciOi" in seen) == (0, False)


def test_a_configuration_that_is_a_link_stays_one(unpuzzle: Any, folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "config.toml").symlink_to(tmp_path / "own.toml")
    assert unpuzzle("config", "set", "timeout", "9").returncode == 0
    assert ((folder / "config.toml").is_symlink(), "9" in (tmp_path / "own.toml").read_text()) == (True, True)


def test_options_of_every_command_may_stand_behind_its_group(unpuzzle: Any, stand_in: Any) -> None:
    assert unpuzzle("courses", "--base-url", stand_in.url, "list", UNPUZZLE_BASE_URL="nonsense").returncode == 0


def test_a_setting_that_is_not_there_is_no_empty_one(unpuzzle: Any) -> None:
    outcome = unpuzzle("config", "get", "timeout")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "unpuzzle config set timeout VALUE" in outcome.stderr


def test_the_version_of_the_client_is_sent(unpuzzle: Any, stand_in: Any) -> None:
    unpuzzle("courses", "list")
    assert stand_in.received[0].headers["x-client-version"] == f"unpuzzle-cli/{__version__}"


def test_a_token_is_kept_although_nobody_can_read_where(line: Any, api: Any, unpuzzle: Any) -> None:
    typed = "unpuzzle auth login --email user@example.com --password-stdin --profile new"
    assert line(f"echo 'open sesame' | {typed} 2>/dev/full")[0] == 0
    assert unpuzzle("auth", "status", "--profile", "new").returncode == 0


def test_a_key_that_may_not_ask_whose_it_is_can_be_seen_printed_and_forgotten(unpuzzle: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: error(403, "PERMISSION_DENIED", message="This API key lacks the scope profile:read.")
    assert unpuzzle("auth", "login", "--with-key", stdin="unp_key\n").returncode == 0
    shown = json.loads(unpuzzle("auth", "status", "--json").stdout)
    assert (shown["server"], shown["email"], shown["roles"]) == (stand_in.url, None, None)
    assert unpuzzle("auth", "token").stdout == "unp_key\n"
    assert json.loads(unpuzzle("auth", "status", "--json", UNPUZZLE_API_KEY="other").stdout)["token"] == "UNPUZZLE_API_KEY"
    assert "Take a key that may do it" in unpuzzle("enrollments", "list").stderr
    assert "The API key stays good." in unpuzzle("auth", "logout").stderr
    assert unpuzzle("auth", "status").returncode == 4


def test_what_two_processes_keep_at_once_is_all_kept(line: Any, unpuzzle: Any) -> None:
    line("for each in 1 2 3 4 5 6 7 8; do unpuzzle config set timeout 9 --profile p$each & done; wait")
    assert len(unpuzzle("config", "list").stdout.splitlines()) == 8


def test_an_address_may_end_as_the_api_begins(unpuzzle: Any, stand_in: Any) -> None:
    assert unpuzzle("courses", "list", UNPUZZLE_BASE_URL=f"{stand_in.url}/api/v1/").returncode == 0
    assert stand_in.received[0].path == "/api/v1/courses/"


@pytest.mark.parametrize(
    "ways",
    [["--with-key", "--email", "a@b.de"], ["--with-key", "--provider", "github"], ["--provider", "github", "--password-stdin"]],
)
def test_nobody_signs_in_in_two_ways_at_once(unpuzzle: Any, stand_in: Any, ways: list[str]) -> None:
    refused = unpuzzle("auth", "login", *ways, stdin="secret\n")
    assert (refused.returncode, "two ways at once" in refused.stderr, stand_in.received) == (2, True, [])


@pytest.mark.parametrize(("way", "secret"), [("--password-stdin", "password"), ("--with-key", "API key")])
def test_a_secret_that_is_not_on_stdin_is_missed(unpuzzle: Any, stand_in: Any, way: str, secret: str) -> None:
    email = ["--email", "a@b.de"] if way == "--password-stdin" else []
    refused = unpuzzle("auth", "login", way, *email, stdin="")
    assert (refused.returncode, stand_in.received) == (2, [])
    assert refused.stderr.startswith(f"unpuzzle: There is no {secret} on stdin.\n")
