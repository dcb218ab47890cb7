"""The value of an argument that was not given, where `None` means null."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal


class Unset:
    """The type of `UNSET`, of which there is exactly one, also after copying and pickling.

    Example:
        ```python
        from unpuzzle_sdk import UNSET

        bio = UNSET  # not sent, and so not changed; None is sent as null, which clears it
        client.auth.update_profile(full_name="Jane Doe", bio=bio)
        ```
    """

    _instance: Unset | None = None

    def __new__(cls) -> Unset:
        """Give the one instance."""
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __bool__(self) -> Literal[False]:
        """Be false, as `None` is."""
        return False

    def __repr__(self) -> str:
        """Say what it is."""
        return "UNSET"


UNSET = Unset()
