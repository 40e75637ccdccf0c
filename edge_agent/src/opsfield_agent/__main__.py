"""`python -m opsfield_agent` is `opsfield-agent`."""

import sys

from opsfield_agent.command_line import main

sys.exit(main())
