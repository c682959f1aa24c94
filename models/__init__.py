"""Networks and what it takes to run them: torch only, no losses, no loops, no service."""
