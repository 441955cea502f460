"""`coffre` and `python -m operators`."""

from __future__ import annotations

from operators.commands import app


def main() -> None:
    """Run the command line; never returns."""
    app(prog_name="coffre")


if __name__ == "__main__":
    main()
