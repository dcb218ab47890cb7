"""A file that is made to break, to occupy or to deceive whoever reads it fails with a reason, and harms nothing."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import films
from harness import Api, Person, Server
from library import Library


def test_every_hostile_file_fails_with_a_reason_while_the_server_answers(
    server: Server, instructor: Person, tmp_path: Path
) -> None:
    library = Library(server)
    corpus = films.hostile(tmp_path)
    ids = {name: library.add(instructor, content, content_type, ready=False) for name, (content_type, content) in corpus.items()}
    slowest = 0.0
    with Api(server) as api, ThreadPoolExecutor(1) as worker:
        processing = worker.submit(lambda: [library.process(media_id) for media_id in ids.values()])
        while not processing.done():
            begun = time.monotonic()
            assert api.get("/health/").status_code == 200
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.05)
        assert processing.result() == [["media.process"]] * len(ids)
    ended = "SELECT processing_status, processing_error FROM media WHERE id = %s"
    found = {name: server.sql(ended, media_id)[0] for name, media_id in ids.items()}
    assert {name: status for name, (status, _) in found.items() if status != "failed"} == {}
    assert all(reason.endswith(".") for _, reason in found.values())
    assert found["a film that tells ten hours"][1] == "It ends after 3 of the 36000 seconds that it tells: it is damaged."
    assert found["a picture that becomes 2.7 GB"][1] == "It has more than 64 million points, which is too many."
    assert slowest < 5  # a third of a second on an idle machine
