"""Fills at the photo's own resolution: scaled, with detail, and fitted to the hole's edge."""
