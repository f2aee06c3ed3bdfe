"""What can go wrong, as a tree.

GoAssistError                 the world failed: the user is told, in one line, what and where
├── BadInput                  something the user gave can not be used (exit code 2)
│   └── ConfigError           a setting: key, value and what is allowed
├── ModelMissing              a model file is absent, or not what the manifest says
├── EngineFailed              an engine could not start, or broke in mid-stream
└── DeviceFailed              a sound device is missing, busy or went away

Everything else that is raised is a bug of ours and is reported as one.
"""


class GoAssistError(Exception):
    """The world failed. The message is one line a user can act on."""


class BadInput(GoAssistError):
    """Something the user gave can not be used; the message names it."""


class ConfigError(BadInput):
    """A setting is invalid; the message names key, value and what is allowed."""


class ModelMissing(GoAssistError):
    """A model is absent or damaged; the message names it and the command that mends it."""


class EngineFailed(GoAssistError):
    """An engine could not start, or broke in mid-stream."""


class DeviceFailed(GoAssistError):
    """A sound device is missing, busy, or went away."""
