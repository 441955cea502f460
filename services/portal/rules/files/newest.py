"""What is said where the catalogue lacks the newest restore point."""

from __future__ import annotations

from libs.shared import errors


class PointsMissing(errors.Refusal):
    """The bucket knows of a newer restore point than the catalogue: an older state was put back."""

    code = "restore-points-missing"
    status = 409
    title = "Newer restore points are missing"

    def __init__(self, known: int, told: int) -> None:
        super().__init__(known, told)
        self.known = known
        self.told = told

    @property
    def detail(self) -> str:
        return (
            f"Run {self.told} was a restore point, and the newest that is known is {self.known}: "
            "choose a run by its number, and tell your provider."
        )
