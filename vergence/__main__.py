"""`python -m vergence` is the `vergence` command."""

from __future__ import annotations

import sys

from vergence.cli import main

sys.exit(main())
