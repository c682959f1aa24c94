"""Single words that must show: class names and colours."""
