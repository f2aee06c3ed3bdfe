"""The settings: a list of sections at the left, and what each holds at the right.

Every change applies at once and is written into the configuration file. `page` is the way in,
`services` what it asks of the rest of the program, `editing` what all sections share.
"""

from goassist_desktop.ui.settings.broken import BrokenConfigDialog
from goassist_desktop.ui.settings.page import SettingsPage
from goassist_desktop.ui.settings.services import SettingsServices

__all__ = ["BrokenConfigDialog", "SettingsPage", "SettingsServices"]
