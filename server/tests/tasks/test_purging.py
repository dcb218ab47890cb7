"""Purging: what nobody can use any more goes, and nothing else."""

from harness import Api, Person
from workplace import Workplace


def test_expired_tokens_and_those_of_ended_sessions_go(place: Workplace, api: Api) -> None:
    expired, ended, live = api.sign_up(), api.sign_up(), api.sign_up()
    place.sql("UPDATE refresh_tokens SET expires_at = now() WHERE user_id = %s", expired.id)
    place.sql("UPDATE sessions SET ended_at = now() WHERE user_id = %s", ended.id)
    place.perform(place.enqueue("auth.purge"))
    left = {str(row[0]) for row in place.sql("SELECT user_id FROM refresh_tokens")}
    assert left & {expired.id, ended.id, live.id} == {live.id}


def test_a_spent_token_stays_so_that_its_second_use_ends_the_session(place: Workplace, api: Api) -> None:
    person = api.sign_up()
    token = {"refresh_token": person.tokens["refresh_token"]}
    assert api.post("/api/v1/auth/refresh/", json=token).status_code == 200
    place.perform(place.enqueue("auth.purge"))
    place.sql("UPDATE refresh_tokens SET spent_at = now() - interval '1 hour' WHERE spent_at IS NOT NULL")
    assert api.post("/api/v1/auth/refresh/", json=token).status_code == 401
    assert place.sql("SELECT ended_at IS NOT NULL FROM sessions WHERE user_id = %s", person.id) == [(True,)]


def test_old_answers_and_counts_go(place: Workplace, instructor: Person) -> None:
    for key in ("old-enough-to-go", "young-enough-to-stay"):
        headers = {"Idempotency-Key": key}
        instructor.post("/api/v1/instructor/courses/create/", json={"title": "A course"}, headers=headers)
    place.sql("UPDATE idempotency_keys SET created_at = now() - interval '24 hours' WHERE key = 'old-enough-to-go'")
    place.sql("INSERT INTO rate_limits VALUES ('over', 1, now()), ('under way', 1, now() + interval '1 hour')")
    place.perform(place.enqueue("system.purge"))
    assert place.sql("SELECT key FROM idempotency_keys WHERE user_id = %s", instructor.id) == [("young-enough-to-stay",)]
    assert place.sql("SELECT key FROM rate_limits WHERE key IN ('over', 'under way')") == [("under way",)]
