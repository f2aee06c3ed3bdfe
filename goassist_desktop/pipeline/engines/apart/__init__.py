"""Programs that run in environments of their own: by path, and without this package."""
