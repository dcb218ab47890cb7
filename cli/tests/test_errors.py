"""What went wrong, why, and what to type next; and the exit code for programs."""

import sys
import time
from typing import Any

import pytest
from loopback import Reply, error

PYTHON = "introduction-to-python-programming"


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "said"),
    [
        (401, "AUTH_REQUIRED", 4, "Sign in: unpuzzle auth login"),
        (403, "ACCOUNT_SUSPENDED", 4, "Ask support"),
        (403, "PERMISSION_DENIED", 4, "unpuzzle auth status"),
        (404, "COURSE_NOT_FOUND", 5, "unpuzzle courses list --search WORDS"),
        (404, "NOT_FOUND", 5, "It went wrong. (NOT_FOUND)"),
        (422, "VALIDATION_ERROR", 1, "title: is too long"),
        (422, "COURSE_NOT_READY", 1, "unpuzzle courses check-readiness"),
        (429, "RATE_LIMIT_EXCEEDED", 6, "Try again in 60 minutes"),
        (500, "INTERNAL_ERROR", 1, "It went wrong. (INTERNAL_ERROR)"),
        (418, "NOT_KNOWN_YET", 1, "It went wrong. (NOT_KNOWN_YET)"),
    ],
)
def test_an_error_answer_says_what_why_and_what_next(
    unpuzzle: Any, stand_in: Any, status: int, code: str, exit_code: int, said: str
) -> None:
    details = [{"field": "title", "message": "is too long"}, {"field": "price", "message": "is negative"}]
    headers = {"Retry-After": "3600"} if status == 429 else {}
    stand_in.respond = lambda _: error(status, code, details=details, headers=headers)
    outcome = unpuzzle("courses", "get", PYTHON)
    assert (outcome.returncode, outcome.stdout) == (exit_code, "")
    assert said in outcome.stderr
    assert "\n  title: is too long\n  price: is negative\n  request id: req_1\n" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_learner_is_told_how_to_become_an_instructor(unpuzzle: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: error(403, "PERMISSION_DENIED", message="This needs the role instructor.")
    assert "unpuzzle auth apply-as-instructor" in unpuzzle("courses", "list-own").stderr


@pytest.mark.parametrize("name", ["UNPUZZLE_TOKEN", "UNPUZZLE_API_KEY"])
def test_a_token_or_a_key_of_the_environment_that_is_refused_is_named(unpuzzle: Any, stand_in: Any, name: str) -> None:
    stand_in.respond = lambda _: error(401, "AUTH_INVALID_TOKEN")
    assert f"{name} is not good" in unpuzzle("auth", "get-profile", **{name: "old"}).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["courses", "nonsense"], "See: unpuzzle courses --help"),
        (["corses"], "Did you mean: unpuzzle courses"),
        (["login"], "Did you mean: unpuzzle auth login"),
        (["courses", "show"], "Did you mean: unpuzzle courses get"),
        (["help", "nonsense"], "Topics: environment, exit-codes"),
        (["help", "exit-code"], "Did you mean: unpuzzle help exit-codes"),
        (["help", "courses", "lst"], "Did you mean: unpuzzle help courses list"),
        (["courses", "list", "--categry", "x"], "--category"),
        (["courses", "list", "--limit", "x"], "--limit"),
        (["courses", "list", "--sort", "colour"], "'title', 'created_at', 'price', 'rating'"),
        (["courses", "list", "--page-size", "101"], "101"),
        (["courses", "get"], "course_id"),
        (["courses", "create", "--price", "9"], "--title"),
        (["courses", "create", "--title", "x", "--price", "cheap"], "cheap is not a number"),
        (["courses", "update", "x"], "Nothing to change."),
        (["courses", "update", "x", "--description", "@/not/there"], "/not/there can't be read"),
        (["auth", "update-profile", "--preferences", "timezone"], "key=value"),
        (["config", "set", "colour", "red"], "base_url"),
        (["config", "set", "base_url", "nonsense"], "is not an address"),
        (["config", "set", "base_url", "https://x/?a=b"], "is not an address"),
        (["courses", "list", "--category", "\udcff"], "a text holds half a surrogate pair"),
        (["config", "set", "timeout", "0"], "is not a number of seconds"),
        (["api", "POST", "auth/signin/", "-f", "email"], "key=value"),
        (["api", "GET", "courses/", "-H", "Authorization Bearer canary"], "Name: value"),
        (["config", "set", "base_url", "http://u:canary@host"], "holds no name and no password"),
        (["courses", "list", "--base-url", "http://canary@host"], "holds no name and no password"),
        (["api", "POST", "courses/", "--paginate"], "for GET"),
        (["auth", "login", "--email", "x@example.com"], "--password-stdin"),
        (["auth", "login"], "--email"),
        (["courses", "list", "--base-url", "http://x\x01"], "is not an address"),
        (["courses", "list", "--base-url", "ftp://x"], "Such as: https://api.unpuzzle.com"),
        (["courses", "list", "--base-url", "http://xn--"], "malformed"),
        (["courses", "get", ".."], "course_id must not be"),
        (["media", "download", "x", "y", "--output", "/not/there/film.mp4"], "there is no folder /not/there"),
        (["courses", "update", "x", "--description", f"@{sys.executable}"], "is not a text in UTF-8"),
        (["list"], "Did you mean: unpuzzle courses list, or: unpuzzle media list"),
        (["completion", "tcsh"], "bash, zsh and fish"),
    ],
)
def test_a_command_that_was_not_understood_is_2_and_sends_nothing(
    unpuzzle: Any, stand_in: Any, arguments: list[str], said: str
) -> None:
    outcome = unpuzzle(*arguments)
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert said in outcome.stderr
    assert "canary" not in outcome.stderr
    assert stand_in.received == []


def test_a_server_that_is_not_there_is_one_sentence(unpuzzle: Any) -> None:
    outcome = unpuzzle("--base-url", "http://127.0.0.1:1", "courses", "get", "x")
    assert outcome.returncode == 1
    assert "can't be reached" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_server_that_is_slow_is_waited_for_as_the_profile_says(unpuzzle: Any, stand_in: Any) -> None:
    def slow(_: object) -> Reply:
        time.sleep(0.2)
        return Reply(500)

    stand_in.respond = slow
    assert unpuzzle("config", "set", "timeout", "0.02").returncode == 0
    outcome = unpuzzle("courses", "get", "x")
    assert outcome.returncode == 1
    assert "unpuzzle config set timeout" in outcome.stderr


def test_a_token_that_no_header_can_carry_is_told_and_not_shown(unpuzzle: Any, stand_in: Any) -> None:
    outcome = unpuzzle("auth", "get-profile", UNPUZZLE_TOKEN="canary\nX-A: b")
    assert (outcome.returncode, stand_in.received) == (2, [])
    assert "UNPUZZLE_TOKEN" in outcome.stderr
    assert "canary" not in outcome.stderr


def test_errors_keep_their_words_whole_on_a_terminal_and_their_lines_in_a_pipe(
    unpuzzle: Any, terminal: Any, stand_in: Any
) -> None:
    message = " ".join(f"word{number}" for number in range(30))
    stand_in.respond = lambda _: error(404, "NOT_FOUND", message=message)
    assert message in unpuzzle("courses", "get", "x").stderr
    seen = terminal("courses", "get", "x", columns=60)[0]
    assert max(map(len, seen.splitlines())) <= 60
    assert set(message.split()) <= set(seen.split())


def test_the_scheme_of_an_address_may_be_written_in_capitals(unpuzzle: Any, stand_in: Any) -> None:
    assert unpuzzle("courses", "list", "--base-url", stand_in.url.replace("http", "HTTP")).returncode == 0


def test_a_page_of_a_proxy_is_no_crash(unpuzzle: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: Reply(502, content=b"<html>Bad gateway</html>", headers={"Retry-After": "3600"})
    outcome = unpuzzle("courses", "get", PYTHON)
    assert (outcome.returncode, "502" in outcome.stderr, "Traceback" in outcome.stderr) == (1, True, False)
    stand_in.respond = lambda _: Reply(200, content=b"<html>Welcome</html>")
    outcome = unpuzzle("courses", "get", PYTHON)
    assert (outcome.returncode, "not JSON" in outcome.stderr, "Traceback" in outcome.stderr) == (1, True, False)


def test_a_broken_configuration_is_named(unpuzzle: Any, folder: Any) -> None:
    folder.mkdir()
    (folder / "config.toml").write_text("[default\n")
    outcome = unpuzzle("courses", "list", UNPUZZLE_BASE_URL="")
    assert (outcome.returncode, "config.toml" in outcome.stderr, "Traceback" in outcome.stderr) == (1, True, False)


def test_deleting_asks_first(unpuzzle: Any, terminal: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: Reply(204)
    refused = unpuzzle("courses", "delete", "x")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    seen, code = terminal("courses", "delete", "x", answers={"Delete a course x? [y/N]": "n"})
    assert (code, "Nothing was deleted." in seen, stand_in.received) == (1, True, [])
    assert terminal("courses", "delete", "x", answers={"[y/N]": "y"})[1] == 0
    assert unpuzzle("courses", "delete", "x", "--yes").returncode == 0
    assert [each.method for each in stand_in.received] == ["DELETE", "DELETE"]


def test_no_answer_is_no_yes(terminal: Any, stand_in: Any) -> None:
    end_of_input = "\x04"
    assert terminal("courses", "delete", "x", answers={"[y/N]": end_of_input})[1] == 1
    seen, code = terminal("auth", "login", "--email", "x@example.com", answers={"Password: ": end_of_input})
    assert (code, "Traceback" in seen, stand_in.received) == (130, False, [])


@pytest.mark.parametrize(
    ("seconds", "said"), [("1", "1 seconds"), ("90", "90 seconds"), ("121", "3 minutes"), ("21483", "6 hours")]
)
def test_a_time_to_wait_is_told_in_its_unit_and_rounded_up(unpuzzle: Any, stand_in: Any, seconds: str, said: str) -> None:
    stand_in.respond = lambda _: error(429, "AI_LIMIT_EXCEEDED", headers={"Retry-After": seconds})
    assert f"Try again in {said}\n" in unpuzzle("ai", "get-limits", UNPUZZLE_TOKEN="t").stderr


@pytest.mark.parametrize("answer", [Reply(407, content=b"Sign in to the proxy"), Reply(200, content=b"<html>Free WiFi</html>")])
def test_what_is_not_of_this_api_asks_whether_it_is_the_right_server(unpuzzle: Any, stand_in: Any, answer: Reply) -> None:
    stand_in.respond = lambda _: answer
    refused = unpuzzle("courses", "list")
    assert (refused.returncode, "Is it the right server?" in refused.stderr) == (1, True)
    assert f"({answer.status})" not in refused.stderr


@pytest.mark.parametrize("nobody", ["2>/dev/full", "2>&-"])
def test_what_nobody_can_read_on_stderr_changes_no_exit_code(line: Any, stand_in: Any, nobody: str) -> None:
    stand_in.respond = lambda _: error(404, "COURSE_NOT_FOUND")
    assert line(f"unpuzzle courses get x {nobody}")[0] == 5
    assert line(f"unpuzzle courses list --jq '.[' {nobody}")[0] == 2


def test_what_the_system_refuses_is_told_with_the_file_and_without_numbers(unpuzzle: Any, stand_in: Any, tmp_path: Any) -> None:
    stand_in.respond = lambda _: Reply(200, content=b"<svg/>", headers={"Content-Type": "image/svg+xml"})
    refused = unpuzzle("analytics", "get-icon", "streak-7", "--output", str(tmp_path))
    assert (refused.returncode, refused.stderr) == (1, f"unpuzzle: {tmp_path} can't be written: Is a directory.\n")
    refused = unpuzzle("config", "set", "timeout", "5", UNPUZZLE_CONFIG_DIR="/dev/null/x")
    assert refused.stderr == "unpuzzle: /dev/null/x: Not a directory\n"


def test_a_prompt_that_is_left_by_ctrl_d_keeps_its_line(unpuzzle: Any) -> None:
    left = unpuzzle("auth", "login", screen=True)
    assert (left.returncode, left.stdout.splitlines()[:2]) == (2, ["E-mail address: ", "unpuzzle: The e-mail address is needed."])


@pytest.mark.parametrize("variable", [{"HTTPS_PROXY": "foo://x"}, {"SSL_CERT_FILE": "/dev/null/x"}])
def test_a_proxy_or_certificates_of_the_environment_that_can_not_be_used_are_told(process: Any, variable: dict[str, str]) -> None:
    refused = process("courses", "list", **variable)
    assert (refused.returncode, refused.stderr.startswith("unpuzzle: the environment names a proxy (")) == (1, True)


@pytest.mark.parametrize("arguments", [["--all", "--limit", "3"], ["--json", "slug", "--fields", "title"]])
def test_options_that_contradict_each_other_are_refused_before_anything_is_sent(
    unpuzzle: Any, stand_in: Any, arguments: list[str]
) -> None:
    assert (unpuzzle("courses", "list", *arguments).returncode, stand_in.received) == (2, [])
