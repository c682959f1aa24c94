"""What every request passes before its route: who asks, how often, how much, and from where."""
