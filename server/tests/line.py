"""The way to the database, which a test may cut."""

import select
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit


class Line:
    """Carries every connection of a server to its database, until it is cut."""

    def __init__(self, database_url: str) -> None:
        self.database = urlsplit(database_url)
        self.entrance = socket.create_server(("127.0.0.1", 0))
        self.ends: list[socket.socket] = []
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The database's, by way of this line."""
        credentials = self.database.netloc.rpartition("@")[0]
        return urlunsplit(self.database._replace(netloc=f"{credentials}@127.0.0.1:{self.entrance.getsockname()[1]}"))

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self) -> None:
        """Ends every connection, and each new one at once."""
        self.is_cut = True
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_cut = False

    def close(self) -> None:
        self.cut()
        self.entrance.shutdown(socket.SHUT_RDWR)
        self.entrance.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near = self.entrance.accept()[0]
                if self.is_cut:
                    near.close()
                    continue
                far = socket.create_connection((self.database.hostname or "127.0.0.1", self.database.port or 5432))
                self.ends += [near, far]
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, suppress(OSError):
            while True:
                for source in select.select([near, far], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    (far if source is near else near).sendall(data)
