"""The recorded questions of `goassist bench latency`; README.md beside this says whose."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path


@contextmanager
def recordings() -> Iterator[list[Path]]:
    """The recordings in the order they are asked."""
    with as_file(files(__name__)) as folder:
        yield sorted(folder.glob("*.ogg"))
