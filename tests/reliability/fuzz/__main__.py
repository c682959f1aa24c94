"""Run the fuzzing suite."""

import typer

from tests.reliability.fuzz.suite import main

typer.run(main)
