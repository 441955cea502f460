"""A bar: what is kept against what was contracted."""

from __future__ import annotations

from markupsafe import Markup

from libs.shared.words.tongue import Tongue


def draw_volume(stored_bytes: int, contracted_bytes: int, tongue: Tongue) -> Markup:
    """What is kept against what was contracted."""
    share = stored_bytes / contracted_bytes if contracted_bytes else float(stored_bytes > 0)
    kind = "over" if share > 1 else "near" if share >= 0.8 else "within"
    width = max(2.0, min(share, 1.0) * 300) if stored_bytes else 0.0
    label = tongue.say(
        "{stored} kept of {contracted} contracted",
        stored=tongue.size(stored_bytes),
        contracted=tongue.size(contracted_bytes),
    )
    return Markup(
        '<svg class="volume {kind}" viewBox="0 0 300 14" role="img" aria-label="{label}"'
        ' preserveAspectRatio="none"><rect class="room" width="300" height="14"/>'
        '<rect class="fill" width="{width}" height="14"/></svg>'
    ).format(kind=kind, label=label, width=f"{width:.1f}")
