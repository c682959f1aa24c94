"""Settings and components of recipes and runs of earlier versions: renamed or removed."""

from typing import Any

# By component and kind: old setting → new setting.
RENAMED = {
    ("discriminator", "projected"): {"meaning": "caption_head"},
    ("objective", "steered"): {
        "ahead": "discriminator_warmup",
        "redrawn": "resample_fraction",
        "swap": "mismatched_caption_prob",
    },
}
# Settings that are gone, with the only value that this version still implements.
REMOVED_SETTINGS = {("objective", "steered"): {"overlap": True, "untold": 0.0}}
# Networks and objectives of comparisons that are finished (docs/results/flagship.md).
REMOVED_KINDS = {
    "generator": ("unet-concat", "unet-no-skips", "unet-transposed"),
    "discriminator": ("projected-pixels", "projected-unnormalised"),
    "objective": ("steered-relativistic",),
}


def upgrade(table: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe's tables with the settings of earlier versions under their new names.

    Of a setting under both names, the later one is used: an override is added at the end.

    Raises:
        ValueError: a component, or the value of a setting, is no longer implemented.
    """
    return {name: upgrade_component(name, part) for name, part in table.items()}


def upgrade_component(name: str, part: Any) -> Any:
    """Upgrade one table of a recipe if it is a component."""
    if not (isinstance(part, dict) and isinstance(part.get("settings", {}), dict)):
        return part
    kind = str(part.get("kind"))
    if kind in REMOVED_KINDS.get(name, ()):
        raise ValueError(f"{name}.kind {kind!r} was removed: it was for a finished comparison")
    renamed = RENAMED.get((name, kind), {})
    removed = REMOVED_SETTINGS.get((name, kind), {})
    settings: dict[str, Any] = {}
    for key, value in part.get("settings", {}).items():
        if key not in removed:
            settings[renamed.get(key, key)] = value
        elif value != removed[key]:
            raise ValueError(f"{name}.settings.{key} was removed; only {removed[key]} is supported")
    return {**part, "settings": settings} if "settings" in part else part
