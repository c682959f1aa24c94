"""Run the contract suite."""

import sys

from tests.reliability.contract.suite import main

sys.exit(main())
