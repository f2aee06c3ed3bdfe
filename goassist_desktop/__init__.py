"""GoAssist Desktop: a voice assistant you simply talk with."""

import os

# Numpy's matrices are small here. Shared out over all cores they took 12 ms instead of 1 before
# every recognition, waiting for a core that another model had. Read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
