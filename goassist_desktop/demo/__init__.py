"""The recorded questions of the demonstration conversation; README.md beside this says whose."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path


@contextmanager
def recordings() -> Iterator[list[Path]]:
    """The recordings in the order they are spoken."""
    with as_file(files(__name__)) as folder:
        yield sorted(folder.glob("*.flac"))
