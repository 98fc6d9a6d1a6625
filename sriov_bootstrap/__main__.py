"""python -m sriov_bootstrap: the same as the command."""

import sys

from sriov_bootstrap.cli import main

sys.exit(main())
