"""Kill -9 in the middle of tasks loses nothing: a few of the rounds that `nox -s crash` plays by the dozen."""

import pytest

import crash


@pytest.mark.parametrize(("broker", "victims"), [("pgmq", ["worker", "postgres"]), ("redis", ["redis"])])
def test_tasks_outlive_those_who_do_and_carry_them(broker: str, victims: list[str]) -> None:
    with crash.deployment(broker) as deployment:
        for victim in victims:
            played = crash.play(deployment, broker, victim)
            assert played.is_whole, str(played)
            assert played.begun >= 2
