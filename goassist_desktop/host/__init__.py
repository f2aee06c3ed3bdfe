"""The same assistant in a browser: HTTPS signalling, pairing, the sessions API and the page.

Nothing here knows the engines or how a session is made of them: `ports` says what the server is
given, and the program composes it (see `hosting`).
"""
