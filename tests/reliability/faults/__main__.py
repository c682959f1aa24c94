"""Run the fault-injection suite."""

import sys

from tests.reliability.faults.suite import main

sys.exit(main())
