"""The one exception tree of `models`."""


class ModelsError(Exception):
    """A bundle, encoder or network cannot be used; the message is one line for the user."""


class ScorerError(ModelsError):
    """A bundle has no scorer."""
