"""Recipes as data: dataclasses, loading, validation, and the recipes that ship."""
