"""`python -m goassist_desktop`."""

import sys

from goassist_desktop.cli import main

sys.exit(main())
