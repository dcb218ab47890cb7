"""Bodies as they come, as far as anybody would read them: what another server sends may have no end."""

from collections.abc import Callable, Iterator
from time import monotonic

import requests
import urllib3

from unpuzzle_cli.conformance.settings import SECONDS, STREAM_SECONDS

EVENTS = "text/event-stream"
LARGEST = 64 * 1024 * 1024
"""More bytes than any answer of the contract has here."""
PIECE = 64 * 1024


class EndlessError(requests.Timeout):
    """An answer that began, and did not come to its end."""


def received(send: Callable[[], requests.Response], *, streams: bool) -> requests.Response:
    """An answer with its body; events are left to whoever streams them."""
    response = send()
    is_stream = response.headers.get("Content-Type", "").startswith(EVENTS)
    if isinstance(response.raw, urllib3.BaseHTTPResponse) and not (streams and is_stream):  # else it did not come by the wire
        read_whole(response, is_stream=is_stream)
    return response


def read_whole(response: requests.Response, *, is_stream: bool) -> None:
    """Keeps the body; raises EndlessError where it is too long, or takes too long. Of events, their beginning is kept."""
    found = bytearray()
    try:
        for piece in pieces(response, STREAM_SECONDS if is_stream else SECONDS):
            found += piece
    except EndlessError:
        response.close()
        if not is_stream:
            raise
    response._content, response._content_consumed = bytes(found), True


def pieces(response: requests.Response, seconds: float) -> Iterator[bytes]:
    began, size = monotonic(), 0
    try:
        while piece := response.raw.read1(PIECE, decode_content=True):
            yield piece
            size += len(piece)
            if size > LARGEST:
                raise EndlessError(f"the answer has more than {LARGEST:,} bytes")
            if monotonic() - began > seconds:
                raise EndlessError(f"the answer did not come to its end in {seconds} s")
    except urllib3.exceptions.ReadTimeoutError as error:
        raise EndlessError(f"the answer stopped in the middle: {error}") from None
    except urllib3.exceptions.DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from None
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from None
