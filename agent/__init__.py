"""coffre-agent: copies chosen folders of this machine to Coffre, and brings them back."""

__version__ = "0.3.0"
