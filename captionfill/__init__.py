"""The library: filling a region of an image from its surroundings and a caption."""
