"""`coffre-agent` and `python -m agent`."""

from __future__ import annotations

from agent.commands import app


def main() -> None:
    """Run the command line; never returns."""
    app(prog_name="coffre-agent")


if __name__ == "__main__":
    main()
