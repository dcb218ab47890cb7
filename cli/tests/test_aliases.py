"""Commands of one's own."""

import json
from pathlib import Path
from typing import Any

import pytest

CHEAP = "courses list --category $1 --fields slug"


def test_an_alias_takes_arguments_by_their_places_and_the_rest_at_its_end(unpuzzle: Any, stand_in: Any) -> None:
    assert unpuzzle("alias", "set", "cheap", CHEAP).stderr == f"cheap: {CHEAP}\n"
    shown = unpuzzle("cheap", "web design", "--difficulty", "beginner")
    assert (shown.returncode, shown.stdout) == (0, "introduction-to-python-programming\n")
    assert stand_in.received[0].query["category"] == ["web design"]
    assert stand_in.received[0].query["difficulty"] == ["beginner"]
    assert unpuzzle("--quiet", "cheap", "music").returncode == 0
    assert unpuzzle("help", "cheap").stdout == f"Your alias of: {CHEAP}\n"


def test_an_alias_that_lacks_an_argument_says_what_it_stands_for(unpuzzle: Any, stand_in: Any) -> None:
    unpuzzle("alias", "set", "cheap", CHEAP)
    refused = unpuzzle("cheap")
    assert (refused.returncode, refused.stderr, stand_in.received) == (2, f"unpuzzle: cheap needs 1 argument: {CHEAP}\n", [])


def test_a_shell_alias_is_run_by_sh_with_what_is_typed_and_ends_as_it_does(process: Any) -> None:
    process("alias", "set", "--shell", "told", 'echo "$2, $1" && exit 7')
    assert (process("told", "a b", "c").stdout, process("told").returncode) == ("c, a b\n", 7)
    process("alias", "set", "said", "!echo $#")
    assert process("said", "1", "2").stdout == "2\n"


def test_a_shell_alias_passes_on_what_was_chosen(process: Any, stand_in: Any) -> None:
    process("config", "set", "timeout", "9", "--profile", "other")
    process("alias", "set", "--shell", "where", 'echo "$0 $UNPUZZLE_BASE_URL $UNPUZZLE_PROFILE"')
    assert process("--base-url", "http://x", "--profile", "other", "where").stdout == "unpuzzle http://x other\n"
    assert process("where").stdout == f"unpuzzle {stand_in.url} \n"


def test_a_shell_alias_that_a_signal_has_ended_ends_as_shells_say_it(process: Any) -> None:
    process("alias", "set", "--shell", "gone", "kill -TERM $$")
    assert process("gone").returncode == 143


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["courses", "auth status"], "courses is a command already"),
        (["a b", "auth status"], "no name"),
        (["mine", "nothing list"], "There is no command nothing"),
        (["mine", "auth 'status"], "can't be read"),
        (["kept", "auth status"], "--clobber"),
    ],
)
def test_an_alias_may_not_hide_a_command_nor_stand_for_none(unpuzzle: Any, given: list[str], said: str) -> None:
    unpuzzle("alias", "set", "kept", CHEAP)
    refused = unpuzzle("alias", "set", *given)
    assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
    assert unpuzzle("alias", "list").stdout == f"kept\t{CHEAP}\n"


def test_aliases_are_kept_beside_the_profiles_and_forgotten(unpuzzle: Any) -> None:
    unpuzzle("config", "set", "timeout", "9")
    unpuzzle("alias", "set", "kept", 'courses list --search "🧩\\"$1"')
    unpuzzle("alias", "set", "kept", "auth status", "--clobber")
    assert unpuzzle("config", "list").stdout == "default\ttimeout\t9\n"
    assert unpuzzle("alias", "delete", "kept").returncode == 0
    assert unpuzzle("alias", "list").stdout == ""
    assert unpuzzle("config", "get", "timeout").stdout == "9\n"
    assert unpuzzle("alias", "delete", "kept").returncode == 2
    assert unpuzzle("config", "set", "timeout", "9", "--profile", "aliases").returncode == 2


def test_any_text_comes_back_from_the_configuration_as_it_was(unpuzzle: Any) -> None:
    text = 'courses list --search "🧩\\" \x7f $1"'
    unpuzzle("alias", "set", "kept", text)
    assert json.loads(unpuzzle("alias", "list", "--json", "expansion").stdout) == [{"expansion": text}]


def test_all_of_a_file_is_taken_or_nothing(unpuzzle: Any, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "aliases.toml"
    file.write_text('one = "auth status"\ntwo = "nothing"\n')
    assert unpuzzle("alias", "import", str(file)).returncode == 2
    assert unpuzzle("alias", "list").stdout == ""
    file.write_text('one = "auth status"\ntwo = "!date"\n')
    assert unpuzzle("alias", "import", str(file)).stderr == "one: auth status\ntwo: !date\n"
    own = (folder / "config.toml").read_text()
    assert unpuzzle("alias", "import", "-", "--clobber", stdin=own).returncode == 0
    assert unpuzzle("alias", "import", "-", stdin="= 1").returncode == 2


def test_completion_and_help_know_aliases(unpuzzle: Any) -> None:
    unpuzzle("alias", "set", "cheap", CHEAP)

    def completed(*words: str) -> str:
        asked = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        shown: str = unpuzzle(_UNPUZZLE_COMPLETE="complete_bash", **asked).stdout
        return shown

    assert completed("unpuzzle", "che").split() == ["cheap"]
    assert "--difficulty" in completed("unpuzzle", "cheap", "--diff")
    assert completed("unpuzzle", "alias", "delete", "ch").split() == ["cheap"]
    assert f"Your aliases:\n  cheap  {CHEAP}\n" in unpuzzle("--help").stdout


def test_a_broken_configuration_stops_no_command_but_those_that_need_it(unpuzzle: Any, folder: Path) -> None:
    folder.mkdir()
    (folder / "config.toml").write_text("[aliases\n")
    asked = {"_UNPUZZLE_COMPLETE": "complete_bash", "COMP_WORDS": "unpuzzle cour", "COMP_CWORD": "1"}
    assert unpuzzle(**asked).stdout.split() == ["courses"]
    silent = unpuzzle(**{**asked, "COMP_WORDS": "unpuzzle nothing x", "COMP_CWORD": "2"})
    assert (silent.stdout.strip(), silent.stderr) == ("", "")
    assert unpuzzle("courses", "--help").returncode == 0
    assert unpuzzle("--help").returncode == 0
    assert "can't be read" in unpuzzle("nothing").stderr


@pytest.mark.parametrize("text", ['[default]\ntimeout = "9"\n', "number = 5\n", ""])
def test_a_file_without_aliases_is_told(unpuzzle: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    refused = unpuzzle("alias", "import", str(tmp_path / "a.toml"))
    assert (refused.returncode, "There are no aliases in" in refused.stderr) == (2, True)


def test_an_alias_may_be_called_aliases(unpuzzle: Any) -> None:
    assert unpuzzle("alias", "import", "-", stdin='aliases = "courses list"\n').stderr == "aliases: courses list\n"
