"""`coffre-agent` and `python -m agent`."""

from __future__ import annotations

from agent.commands import app


def main() -> None:
    """Run the command line; never returns."""
    # Without a name for its variable, click offers no completion for shells.
    app(prog_name="coffre-agent", complete_var="")


if __name__ == "__main__":
    main()
