"""Where models come from: the manifest that pins them, and the sources they are fetched from."""
