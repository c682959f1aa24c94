"""`python -m training.cli`, as torchrun and accelerate start it."""

from training.cli.main import main

if __name__ == "__main__":
    main()
