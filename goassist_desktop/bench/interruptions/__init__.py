"""What somebody may say over the assistant; README.md beside this says whose recordings it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path


@contextmanager
def recordings() -> Iterator[list[Path]]:
    """The recordings, `<kind>-<name>.ogg`, in the order of their names."""
    with as_file(files(__name__)) as folder:
        yield sorted(folder.glob("*.ogg"))
