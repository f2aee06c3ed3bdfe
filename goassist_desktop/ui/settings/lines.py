"""Lines of a section: what a setting is, what it does, its control, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QWheelEvent
from PySide6.QtWidgets import QBoxLayout, QLineEdit, QPlainTextEdit, QSlider, QSpinBox, QWidget

from goassist_desktop import config as settings
from goassist_desktop.ui.kit import Choice, Switch, column, label, row, setting
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.theme import theme

NARROW_PX: Final = 160
WIDE_PX: Final = 340
WIDEST_PX: Final = 420
"""However large the text is: the words at the left want room too."""
SETTLE_MS: Final = 350
"""A slider at rest for this long is meant."""


class Line(QWidget):
    """A line that can be found by its words; `keys` are the settings it changes."""

    def __init__(
        self,
        editing: Editing,
        title: str,
        what: str,
        control: QWidget,
        *keys: str,
        below: bool = False,
        wide: bool = False,
        words: str = "",
    ) -> None:
        """`below`: the control has a row of its own. `wide`: it is as wide as all that are.
        `words`: more to be found by."""
        super().__init__()
        self.editing, self.control = editing, control
        self.wanted = True
        """False: it makes no sense as things are, and is not shown."""
        self._wide = wide
        self._words = f"{title} {what} {words}".casefold()
        self._note = label("", "caption", wrap=True)
        self._fault = label("", "error", wrap=True)
        self.inside = inside = column(gap=4)
        if below:
            control.setAccessibleName(control.accessibleName() or title)
            control.setAccessibleDescription(what)
            if title:
                inside.addWidget(label(title))
            if what:
                inside.addWidget(label(what, "caption", wrap=True))
            if title:
                inside.addSpacing(4)
            inside.addWidget(control)
        else:
            line = setting(title, what, control)
            inside.addWidget(line)
            if wide:  # and no wider than the words where there is little room
                both = line.layout()
                assert isinstance(both, QBoxLayout)
                both.setStretch(1, 1)
                both.setAlignment(control, Qt.AlignmentFlag.AlignVCenter)
        inside.addWidget(self._note)
        inside.addWidget(self._fault)
        self.setLayout(inside)
        self._note.hide()
        self.complain("")
        if by := editing.outside(*keys):
            control.setEnabled(False)
            self._note.setText(f"Set by {by}, so it can not be changed here.")
            self._note.show()
        editing.applied.connect(self.refresh)
        theme().changed.connect(self._fit)
        self._fit()

    def _fit(self) -> None:
        if self._wide:
            self.control.setMinimumWidth(theme().px(NARROW_PX))
            self.control.setMaximumWidth(min(theme().px(WIDE_PX), WIDEST_PX))

    def refresh(self) -> None:
        """Show the setting as it is now."""

    def complain(self, fault: str) -> None:
        """Say what is wrong, in a sentence; nothing is wrong when it is empty."""
        self._fault.setText(fault)
        self._fault.setVisible(bool(fault))

    @property
    def fault(self) -> str:
        return self._fault.text()

    def has(self, words: list[str]) -> bool:
        """Whether a search for all of these finds it."""
        return all(word in self._words for word in words)


class SwitchLine(Line):
    """On or off."""

    def __init__(
        self, editing: Editing, key: str, title: str, what: str, *, words: str = ""
    ) -> None:
        self._key = key
        self.switch = Switch(editing.value(key), title)
        super().__init__(editing, title, what, self.switch, key, words=words)
        self.switch.toggled.connect(self._toggled)

    def _toggled(self, on: bool) -> None:
        self.complain(self.editing.put({self._key: on}))

    def refresh(self) -> None:
        self.switch.setChecked(self.editing.value(self._key))


class ChoiceLine(Line):
    """One of several."""

    def __init__(
        self,
        editing: Editing,
        key: str,
        title: str,
        what: str,
        names: Mapping[str, str],
        *,
        words: str = "",
    ) -> None:
        """`names`: the values that are possible, as they are called here."""
        self._key = key
        self.choice = Choice(title)
        for value, name in names.items():
            self.choice.addItem(name, value)
        super().__init__(editing, title, what, self.choice, key, wide=True, words=words)
        self.refresh()
        self.choice.activated.connect(self._picked)

    def _picked(self, index: int) -> None:
        self.complain(self.editing.put({self._key: self.choice.itemData(index)}))
        self.refresh()

    def refresh(self) -> None:
        self.choice.setCurrentIndex(self.choice.findData(self.editing.value(self._key)))


class TextLine(Line):
    """A short text, taken when it is left or Enter is pressed. A wrong one stays to be mended."""

    def __init__(
        self,
        editing: Editing,
        key: str,
        title: str,
        what: str,
        *,
        hint: str = "",
        longest: int = 200,
        below: bool = False,
        words: str = "",
    ) -> None:
        self._key = key
        self.field = QLineEdit(editing.value(key))
        self.field.setPlaceholderText(hint)
        self.field.setMaxLength(longest)
        super().__init__(
            editing, title, what, self.field, key, below=below, wide=not below, words=words
        )
        self.field.editingFinished.connect(self._finished)
        self.field.textEdited.connect(self._edited)

    def _finished(self) -> None:
        text = " ".join(self.field.text().split())
        self.field.setModified(False)
        self.complain(self.editing.put({self._key: text}))
        self.refresh()

    def _edited(self, _: str) -> None:
        """A complaint goes as soon as somebody mends it."""
        self.complain("")

    def refresh(self) -> None:
        value = self.editing.value(self._key)
        if not self.fault and not self.field.isModified() and self.field.text() != value:
            self.field.setText(value)


class Paragraph(QPlainTextEdit):
    """A text of a few lines; Tab leaves it."""

    left = Signal()

    def __init__(self, lines: int, longest: int) -> None:
        super().__init__()
        self._lines, self._longest = lines, longest
        self.setTabChangesFocus(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.textChanged.connect(self._shorten)
        theme().changed.connect(self._measure)
        self._measure()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()

    def _shorten(self) -> None:
        text = self.toPlainText()
        if len(text) > self._longest:
            self.setPlainText(text[: self._longest])

    def _measure(self) -> None:
        self.setFixedHeight(theme().px(self._lines * 21 + 30))


class ParagraphLine(Line):
    """A longer text, taken when it is left."""

    def __init__(
        self,
        editing: Editing,
        key: str,
        title: str,
        what: str,
        *,
        hint: str = "",
        longest: int = 600,
        lines: int = 2,
        words: str = "",
    ) -> None:
        self._key = key
        self.field = Paragraph(lines, longest)
        self.field.setPlaceholderText(hint)
        self.field.setPlainText(editing.value(key))
        super().__init__(editing, title, what, self.field, key, below=True, words=words)
        self.field.left.connect(self.take)

    def take(self) -> None:
        self.complain(self.editing.put({self._key: self.field.toPlainText().strip()}))

    def refresh(self) -> None:
        value = self.editing.value(self._key)
        if self.field.toPlainText().strip() != value and not self.field.hasFocus():
            self.field.setPlainText(value)


class SpinBox(QSpinBox):
    """Without its little arrows: arrow keys do the same."""

    def __init__(self) -> None:
        super().__init__()
        theme().changed.connect(self._indent)
        self._indent()

    def _indent(self) -> None:
        """A style sheet's padding is not for the text inside."""
        side = theme().px(12)
        self.lineEdit().setTextMargins(side, 0, side, 0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # scrolling the page must not change a setting


class NumberLine(Line):
    """A whole number."""

    def __init__(
        self,
        editing: Editing,
        key: str,
        title: str,
        what: str,
        *,
        unit: str = "",
        step: int = 1,
        words: str = "",
    ) -> None:
        self._key, self._kind = key, type(settings.settings()[key])
        low, high = settings.bounds(key)
        self.box = SpinBox()
        self.box.setRange(round(low), round(high))
        self.box.setSingleStep(step)
        self.box.setSuffix(unit)
        self.box.setKeyboardTracking(False)
        self.box.setValue(round(editing.value(key)))
        self.box.lineEdit().setAccessibleName(title)
        super().__init__(editing, title, what, self.box, key, wide=True, words=words)
        self.box.valueChanged.connect(self._typed)

    def _typed(self, value: int) -> None:
        self.complain(self.editing.put({self._key: self._kind(value)}))

    def refresh(self) -> None:
        if not self.fault:
            self.box.setValue(round(self.editing.value(self._key)))


class Slider(QSlider):
    """From one number to another in steps, moved by mouse or arrow keys."""

    def __init__(self, low: float, high: float, step: float) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._step = step
        self.setRange(round(low / step), round(high / step))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme().px(100), theme().px(28))

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint()

    def number(self) -> float:
        return round(self.value() * self._step, 6)

    def show_number(self, number: float) -> None:
        self.setValue(round(number / self._step))

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # scrolling the page must not change a setting


class SliderLine(Line):
    """A number, taken once the slider rests: what it changes must not do so under the mouse."""

    def __init__(
        self,
        editing: Editing,
        key: str,
        title: str,
        what: str,
        slider: Slider,
        write: Callable[[float], str],
        width_px: int,
        *,
        words: str = "",
    ) -> None:
        """`write`: the number as it stands beside the slider, in `width_px` before text scaling."""
        self._key, self._write, self._width_px = key, write, width_px
        self.slider = slider
        slider.setAccessibleName(title)
        self.figure = label("", "quiet")
        control = QWidget()
        control.setLayout(row(slider, self.figure, gap=12))
        super().__init__(editing, title, what, control, key, wide=True, words=words)
        self._settled = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._settled.timeout.connect(self._take)
        slider.valueChanged.connect(self._moved)
        slider.sliderReleased.connect(self._take)
        theme().changed.connect(self.show_number)

    def refresh(self) -> None:
        if not self._settled.isActive() and not self.slider.isSliderDown():
            self.slider.blockSignals(True)
            self.slider.show_number(self.editing.value(self._key))
            self.slider.blockSignals(False)
        self.show_number()

    def show_number(self) -> None:
        """Where the slider is, whether or not it is meant yet."""
        self.figure.setText(self._write(self.slider.number()))
        self.figure.setMinimumWidth(theme().px(self._width_px))

    def _moved(self) -> None:
        self.show_number()
        self._settled.start()

    def _take(self) -> None:
        if self.slider.isSliderDown():
            return
        self._settled.stop()
        self.complain(self.editing.put({self._key: self.slider.number()}))
