"""What lies where in the bucket."""

from libs.shared.bucket.runs import End, Head, ListedFolder, ListHead, Point, StoredPart

__all__ = ["End", "Head", "ListHead", "ListedFolder", "Point", "StoredPart"]
