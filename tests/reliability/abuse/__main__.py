"""Run the abuse suite."""

import typer

from tests.reliability.abuse.suite import main

typer.run(main)
