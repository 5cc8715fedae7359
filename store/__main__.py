"""`python -m store FILE` makes or migrates a store, for a process that must not load sqlite-utils itself."""

import os
import sys
from pathlib import Path

from store.connection import prepare

os.umask(0o077)
prepare(Path(sys.argv[1]))
