"""A folder as the store of a stack, instead of an S3 server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from libs.shared.objects import ObjectStore


@dataclass(frozen=True)
class FolderStore:
    """Where objects lie."""

    folder: Path

    name = "the store's folder"

    def settings(self, bucket: str) -> dict[str, str]:
        """Gives what services are told of it."""
        del bucket
        return {"store": f"file://{self.folder}"}

    def describe(self, bucket: str) -> dict[str, object]:
        """Gives its part of `stack.json`."""
        return dict(self.settings(bucket))

    def open(self, bucket: str) -> ObjectStore:
        """Opens the folder, whosever it is."""
        del bucket
        return ObjectStore.in_folder(self.folder)
