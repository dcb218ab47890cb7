"""What all models have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from attrs import define, field


@define
class Model:
    """Data of the API. Fields that this version of the SDK does not know are kept in `additional_properties`."""

    additional_properties: dict[str, Any] = field(init=False, factory=dict, repr=False)

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form."""

    def __getitem__(self, key: str) -> Any:
        """Give a field in its JSON form, which this version of the SDK may know or not."""
        # A program that reads a field so goes on when a later version knows it.
        return self.additional_properties[key] if key in self.additional_properties else self.to_dict()[key]

    def __contains__(self, key: str) -> bool:
        """Tell whether there is such a field."""
        return key in self.additional_properties or key in self.to_dict()
