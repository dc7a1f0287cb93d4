"""``python -m node.monitor`` is ``alarm-monitor``."""

import sys

from node.monitor.cli.main import main

sys.exit(main())
