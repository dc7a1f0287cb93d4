"""``python -m node.monitor`` is ``alarm-monitor``."""

import sys

from node.monitor.cli import main

sys.exit(main())
