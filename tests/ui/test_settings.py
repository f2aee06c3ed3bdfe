"""The settings, used as a person does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLabel, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop import app, autostart, config, personas, settings_file, shipped
from goassist_desktop.catalogue import ENGINES
from goassist_desktop.config import Config
from goassist_desktop.pipeline.endpoints.sound_card import SoundDevice
from goassist_desktop.pipeline.engines import REGISTRY
from goassist_desktop.pipeline.errors import ConfigError, DeviceFailed
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.ui.confirm import Confirm
from goassist_desktop.ui.kit import Switch
from goassist_desktop.ui.ports import Loading, Ready
from goassist_desktop.ui.settings import SettingsPage, SettingsServices
from goassist_desktop.ui.settings.about import About
from goassist_desktop.ui.settings.appearance import THEMES, Appearance
from goassist_desktop.ui.settings.conversation import WAITING, Conversation
from goassist_desktop.ui.settings.engine_cards import Licence
from goassist_desktop.ui.settings.engines import Engines
from goassist_desktop.ui.settings.face import HEADS, Face
from goassist_desktop.ui.settings.lines import Line
from goassist_desktop.ui.settings.persona import Persona
from goassist_desktop.ui.settings.privacy import NOTHING_KEPT, NOTHING_LEAVES, Privacy
from goassist_desktop.ui.settings.section import Section
from goassist_desktop.ui.settings.sound import Sound
from goassist_desktop.ui.theme import theme
from tests.fakes.assistant import ScriptedAssistant
from tests.ui.conftest import Shoot

LEFT = Qt.MouseButton.LeftButton
BUILT_IN_MIC = SoundDevice(0, "Built-in Audio Analog Stereo", 2, 2, 48000, True, True)
HEADSET = SoundDevice(1, "USB headset", 1, 2, 48000, False, False)


@dataclass(frozen=True)
class Found:
    check: str
    state: str
    found: str
    remedy: str = ""


@dataclass
class Machine:
    """What the settings ask of the rest of the program, as a small machine without hardware."""

    file: Path
    devices: list[SoundDevice] = field(default_factory=lambda: [BUILT_IN_MIC, HEADSET])
    fault: Exception | None = None
    """Raised by whatever is asked."""
    outside: dict[str, str] = field(default_factory=dict)
    stored: list[str] = field(default_factory=lambda: ["3 conversations, 12 kB"])
    asked: list[tuple[object, ...]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    changes: list[Mapping[str, object]] = field(default_factory=list)

    def note(self, *what: object) -> None:
        self.threads.add(threading.current_thread().name)
        if self.fault is not None:
            raise self.fault
        self.asked.append(what)

    def save(self, changes: Mapping[str, object]) -> None:
        self.note("save")
        settings_file.change(self.file, changes)

    def list_devices(self) -> Sequence[SoundDevice]:
        self.note("devices")
        return list(self.devices)

    def what_is_stored(self) -> Sequence[str]:
        return self.stored

    def examine(self, of: Config) -> Iterable[Found]:
        self.note("examine", of.profile)
        yield Found("Python", "ok", "3.11")
        yield Found("disk", "fail", "0 GB free", "free some space")

    def services(self) -> SettingsServices:
        return SettingsServices(
            config_file=self.file,
            save=self.save,
            devices=self.list_devices,
            test_tone=lambda of: self.note("tone", of.audio.output_device),
            preview=lambda of, text: self.note("preview", text),
            system_prompt=app.system_prompt,
            stored=self.what_is_stored,
            delete_everything=lambda: self.note("delete everything"),
            export_diagnostics=lambda path, words: self.note("export", path, words),
            examine=self.examine,
            version="1.2.3",
            outside=self.outside,
        )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("GOASSIST_MODELS_DIR", str(tmp_path / "models"))
    return Machine(tmp_path / "goassist" / "config.toml")


Open = Callable[..., SettingsPage]


@pytest.fixture
def opened(qtbot: QtBot, assistant: ScriptedAssistant, machine: Machine) -> Iterator[Open]:
    """Shows the settings, as they are with these changes of the defaults."""

    pages = []

    def show(**changes: object) -> SettingsPage:
        named = {key.replace("__", "."): value for key, value in changes.items()}
        page = SettingsPage(
            assistant,
            config.changed(Config(), named),
            machine.changes.append,
            machine.services(),
        )
        pages.append(page)
        page.resize(1280, 800)
        with qtbot.waitActive(page):
            page.show()
        return page

    yield show
    for page in pages:
        page.close()
        shiboken6.delete(page)


def saved(machine: Machine) -> Config:
    """The settings as the next start will find them."""
    known = config.settings()
    content = config.from_file(machine.file) if machine.file.exists() else ()
    return config.built({key: value for key, value in content if key in known})


def lines_of(page: SettingsPage, section: type[Section]) -> dict[str, Any]:
    """Setting -> its line."""
    lines = page.section(section).findChildren(Line)
    return {line._key: line for line in lines if hasattr(line, "_key")}


def click(qtbot: QtBot, widget: QWidget) -> None:
    qtbot.mouseClick(widget, LEFT)


def typed(widget: QWidget, text: str) -> None:
    """As an input method does: `keyClicks` knows no letters but ASCII's."""
    event = QInputMethodEvent()
    event.setCommitString(text)
    widget.setFocus()
    QApplication.sendEvent(widget, event)


# -- changing and saving ---------------------------------------------------------------------------


def test_a_switch_applies_at_once_and_is_saved(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    page = opened()
    click(qtbot, page.section(Sound).push.switch)
    assert machine.changes == [{"audio.push_to_talk": True}]
    qtbot.waitUntil(lambda: page.saved.text() == "Saved")
    assert saved(machine).audio.push_to_talk
    assert page.failure.isHidden()
    assert "MainThread" not in machine.threads


def test_switching_back_and_forth_ends_as_it_is_seen(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    switch = opened().section(Sound).echo.switch
    for _ in range(9):
        qtbot.keyClick(switch, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: machine.file.exists() and not saved(machine).audio.echo_cancellation)
    assert len(machine.changes) == 9
    assert not switch.isChecked()


def test_what_can_not_be_saved_holds_until_the_end_and_can_be_tried_again(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    machine.fault = ConfigError("config.toml: can not be written: No space left on device")
    page = opened()
    click(qtbot, page.section(Sound).push.switch)
    qtbot.waitUntil(page.failure.isVisible)
    assert "No space left on device" in page.failure.text
    assert machine.changes == [{"audio.push_to_talk": True}]
    machine.fault = None
    click(qtbot, page.failure.again)
    qtbot.waitUntil(page.failure.isHidden)
    assert saved(machine).audio.push_to_talk


def test_a_later_change_saves_the_earlier_one_too(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    machine.fault = ConfigError("config.toml: can not be written: No space left on device")
    page = opened()
    click(qtbot, page.section(Sound).push.switch)
    qtbot.waitUntil(page.failure.isVisible)
    machine.fault = None
    click(qtbot, page.section(Sound).echo.switch)
    qtbot.waitUntil(page.failure.isHidden)
    assert saved(machine).audio.push_to_talk
    assert not saved(machine).audio.echo_cancellation


def test_a_change_made_elsewhere_is_shown_and_not_saved_again(
    opened: Open, machine: Machine
) -> None:
    page = opened()
    page.show_config(config.changed(Config(), {"window.captions": False, "persona.head": "jonas"}))
    assert not page.section(Appearance).captions.switch.isChecked()
    tiles = page.section(Face).head_line.tiles.tiles
    assert [tile.value for tile in tiles if tile.isChecked()] == ["jonas"]
    assert not machine.changes


def test_what_a_variable_decides_can_not_be_changed_here(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    machine.outside = {"audio.push_to_talk": "GOASSIST_AUDIO_PUSH_TO_TALK"}
    line = opened().section(Sound).push
    click(qtbot, line.switch)
    assert not machine.changes
    assert not line.switch.isChecked()
    words = [label.text() for label in line.findChildren(QWidget) if hasattr(label, "text")]
    assert any("GOASSIST_AUDIO_PUSH_TO_TALK" in text for text in words)


# -- getting around --------------------------------------------------------------------------------


def test_every_section_is_reached_by_keyboard_and_every_control_has_a_name(
    qtbot: QtBot, opened: Open
) -> None:
    page = opened()
    titles = []
    page.list.setFocus()
    for _ in range(page.list.count()):
        section = page.stack.currentWidget()
        assert isinstance(section, Section)
        titles.append(section.TITLE)
        for widget in section.findChildren(QWidget):
            if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible():
                said = widget.accessibleName()
                said = said or (widget.text() if isinstance(widget, QAbstractButton) else "")
                assert said, f"{section.TITLE}: {widget} has no name"
        qtbot.keyClick(page.list, Qt.Key.Key_Down)
    assert len(set(titles)) == page.list.count() == 9


def test_tab_goes_through_search_sections_and_controls(qtbot: QtBot, opened: Open) -> None:
    page = opened()
    assert page.focusWidget() is page.list
    reached: list[QWidget] = []
    while (at := page.focusWidget()) not in reached:
        assert at is not None
        reached.append(at)
        qtbot.keyClick(at, Qt.Key.Key_Tab)
    sound = page.section(Sound)
    assert reached == [
        page.list,
        sound.microphone.choice,
        sound.echo.switch,
        sound.push.switch,
        sound.loudspeaker.choice,
        sound.tone,
        page.search,
    ]


def test_search_shows_the_lines_that_match(qtbot: QtBot, opened: Open) -> None:
    page = opened()
    typed(page.search, "unreal")
    shown = [i for i in range(page.list.count()) if not page.list.item(i).isHidden()]
    assert [page.list.item(i).text() for i in shown] == ["Face"]
    face = page.section(Face)
    assert page.stack.currentWidget() is face
    assert face.live_link.isVisible()
    assert face.head_line.isHidden()
    qtbot.keyClick(page.search, Qt.Key.Key_Return)
    assert page.focusWidget() is face.live_link.field
    qtbot.keyClick(face.live_link.field, Qt.Key.Key_Escape)
    assert not page.search.text()
    assert face.head_line.isVisible()


def test_search_opens_what_is_folded_away(qtbot: QtBot, opened: Open) -> None:
    page = opened()
    conversation = page.section(Conversation)
    page.open("Conversation")
    assert not conversation.unsure.isVisible()
    typed(page.search, "unsure_ms")
    assert conversation.unsure.isVisible()
    page.search.clear()
    assert not conversation.unsure.isVisible()


def test_a_search_for_nothing_says_so(qtbot: QtBot, opened: Open) -> None:
    page = opened()
    typed(page.search, "zyx 你好")
    assert page.nothing.isVisible()
    page.search.clear()
    assert page.nothing.isHidden()


# -- sound -----------------------------------------------------------------------------------------


def items(line: object) -> list[str]:
    choice = line.choice  # type: ignore[attr-defined]
    return [choice.itemText(i) for i in range(choice.count())]


def test_the_devices_that_are_there_can_be_chosen(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    line = opened().section(Sound).microphone
    qtbot.waitUntil(lambda: line.choice.count() == 3)
    assert items(line)[0] == "System – Built-in Audio Analog Stereo"
    line.choice.setFocus()
    qtbot.keyClick(line.choice, Qt.Key.Key_End)
    assert machine.changes == [{"audio.input_device": "USB headset"}]


def test_a_device_that_is_unplugged_stays_in_the_list(
    qtbot: QtBot, opened: Open, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goassist_desktop.ui.settings.sound.LOOK_EVERY_MS", 20)
    line = opened(audio__input_device="USB headset").section(Sound).microphone
    qtbot.waitUntil(lambda: line.choice.count() == 3)
    assert line.choice.currentText() == "USB headset"
    machine.devices.remove(HEADSET)
    qtbot.waitUntil(lambda: items(line)[-1] == "USB headset – not connected")
    assert line.choice.currentIndex() == 2
    machine.devices.append(HEADSET)
    qtbot.waitUntil(lambda: items(line)[-1] == "USB headset")
    assert not machine.changes


def test_a_part_of_a_name_means_the_device(qtbot: QtBot, opened: Open) -> None:
    line = opened(audio__output_device="HEADset").section(Sound).loudspeaker
    qtbot.waitUntil(lambda: line.choice.count() == 3)
    assert items(line)[line.choice.currentIndex()] == "USB headset"


def test_without_a_sound_system_it_says_so(qtbot: QtBot, opened: Open, machine: Machine) -> None:
    machine.fault = DeviceFailed("the PortAudio library is missing")
    line = opened().section(Sound).microphone
    qtbot.waitUntil(lambda: line.fault == "The PortAudio library is missing.")


def test_without_a_microphone_it_says_so(qtbot: QtBot, opened: Open, machine: Machine) -> None:
    machine.devices = [SoundDevice(0, "HDMI", 0, 2, 48000, False, True)]
    sound = opened().section(Sound)
    qtbot.waitUntil(lambda: sound.microphone.fault == "No microphone is connected.")
    assert not sound.loudspeaker.fault


def test_the_level_follows_the_microphone(
    qtbot: QtBot, opened: Open, assistant: ScriptedAssistant
) -> None:
    level = opened().section(Sound).level
    before = level.grab().toImage()
    assistant.level = -6.0
    qtbot.waitUntil(lambda: level.grab().toImage() != before)


def test_the_test_tone(qtbot: QtBot, opened: Open, machine: Machine) -> None:
    sound = opened(audio__output_device="USB").section(Sound)
    click(qtbot, sound.tone)
    qtbot.waitUntil(lambda: ("tone", "USB") in machine.asked)
    qtbot.waitUntil(sound.tone.isEnabled)
    machine.fault = DeviceFailed("the loudspeaker is busy")
    click(qtbot, sound.tone)
    qtbot.waitUntil(lambda: sound.tone_line.fault == "the loudspeaker is busy")
    assert sound.tone.isEnabled()


# -- engines ---------------------------------------------------------------------------------------


def test_every_engine_there_is_is_described() -> None:
    described = {stage: set(engines) - {"none"} for stage, engines in ENGINES.items()}
    assert described == {stage: set(engines) for stage, engines in REGISTRY.items()}


def test_a_choice_is_offered_only_where_there_is_one(qtbot: QtBot, opened: Open) -> None:
    page = opened()
    page.open("Engines")
    lines = page.section(Engines).engines
    assert [stage for stage, line in lines.items() if line.choice.isVisible()] == [
        "recognition", "language_model", "synthesis",
    ]  # fmt: skip
    assert [stage for stage, line in lines.items() if line.name.isVisible()] == [
        "voice_activity", "turn_detection",
    ]  # fmt: skip


def test_an_engine_is_chosen_with_its_licence_and_what_it_lacks(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    page = opened()
    page.open("Engines")
    line = page.section(Engines).engines["recognition"]
    assert "Whisper tiny.en" in line.details.text()
    assert "licence MIT" in line.details.text()
    qtbot.keyClick(line.choice, Qt.Key.Key_Down)
    assert machine.changes == [{"engines.recognition": "moonshine"}]
    assert "Moonshine" in line.details.text()
    assert line.fault == "Its model is not on this machine yet."


def test_an_engine_in_the_cloud_says_so_and_has_no_model(opened: Open) -> None:
    page = opened()
    page.open("Engines")
    line = page.section(Engines).engines["recognition"]
    page.editing.put({"engines.recognition": "deepgram"})
    line.refresh()
    assert "what you say leaves this machine" in line.details.text()
    assert "Whisper" not in line.details.text() and not line.fault


def test_a_licence_is_accepted_before_its_engine_is_chosen(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    page = opened()
    page.open("Engines")
    line = page.section(Engines).engines["synthesis"]
    [accept] = page.section(Engines).findChildren(Licence)
    told = " ".join(text.text() for text in accept.findChildren(QLabel))
    assert "Coqui Public Model License" in told and "not for work or business" in told
    assert "coqui.ai/cpml" in told
    qtbot.keyClick(line.choice, Qt.Key.Key_End)
    assert page.editing.config.engines.synthesis == "hibari"
    assert line.choice.currentData() == "hibari"
    assert line.fault.startswith("Its licence (Coqui Public Model License")
    qtbot.keyClick(accept.switch, Qt.Key.Key_Space)
    assert accept.switch.isChecked() and not accept.fault, accept.fault
    qtbot.keyClick(line.choice, Qt.Key.Key_End)
    assert page.editing.config.engines.synthesis == "xtts" and not line.fault
    assert "Coqui Public Model License" in line.details.text()
    qtbot.keyClick(accept.switch, Qt.Key.Key_Space)
    assert page.editing.config.engines.synthesis == "hibari"
    assert line.choice.currentData() == "hibari"
    qtbot.waitUntil(machine.file.exists)
    qtbot.waitUntil(lambda: "licence_accepted = true" not in machine.file.read_text())
    assert '"xtts"' not in machine.file.read_text()


def test_the_language_and_names_are_set_where_one_looks_for_them(
    opened: Open, machine: Machine, qtbot: QtBot
) -> None:
    page = opened()
    page.open("Engines")
    lines = lines_of(page, Engines)
    language = lines["recognition.language"]
    said = [language.choice.itemText(at) for at in range(language.choice.count())]
    assert said[:3] == ["English", "Whatever is spoken", "Afrikaans"]
    assert {"German", "Javanese", "Cantonese"} <= {*said}
    assert len(said) == len({*said}) == 101
    language.choice.setCurrentIndex(said.index("German"))
    language.choice.activated.emit(said.index("German"))
    names = lines["recognition.hot_words"]
    names.field.setFocus()
    qtbot.keyClicks(names.field, "Siobhan, Nguyen")
    qtbot.keyClick(names.field, Qt.Key.Key_Return)
    how = page.editing.config.recognition
    assert (how.language, how.hot_words) == ("de", "Siobhan, Nguyen")
    qtbot.waitUntil(lambda: saved(machine).recognition == how)


def test_a_server_is_named_before_its_voice_is_chosen(opened: Open, qtbot: QtBot) -> None:
    page = opened()
    page.open("Engines")
    line = page.section(Engines).engines["synthesis"]
    at = line.choice.findData("kyutai-server")
    line.choice.setCurrentIndex(at)
    line.choice.activated.emit(at)
    assert "kyutai.url" in line.fault and page.editing.config.engines.synthesis == "hibari"
    lines = lines_of(page, Engines)
    qtbot.keyClicks(lines["kyutai.url"].field, "ws://localhost:8080")
    qtbot.keyClick(lines["kyutai.url"].field, Qt.Key.Key_Return)
    line.choice.setCurrentIndex(at)
    line.choice.activated.emit(at)
    assert page.editing.config.engines.synthesis == "kyutai-server" and not line.fault


def test_which_engine_works_is_told(opened: Open) -> None:
    page = opened()
    page.happened(
        Ready(
            (
                EngineInfo("recognition", "whisper", "tiny", "MIT", cloud=True),
                EngineInfo("face", "lipsync", "built-in", "Apache-2.0"),
            ),
            2.0,
        )
    )
    lines = page.section(Engines).engines
    assert lines["recognition"].state.text() == "In use, in the cloud"
    assert not lines["synthesis"].state.text()
    assert page.section(Face).engine.state.text() == "In use"
    page.happened(Loading())
    assert not lines["recognition"].state.text()


def test_the_voice_can_be_heard(qtbot: QtBot, opened: Open, machine: Machine) -> None:
    page = opened(persona__name="Ada")
    page.open("Engines")
    engines = page.section(Engines)
    click(qtbot, engines.listen)
    qtbot.waitUntil(lambda: any("I am Ada" in str(asked) for asked in machine.asked))
    qtbot.waitUntil(engines.listen.isEnabled)


# -- persona ---------------------------------------------------------------------------------------


def titles(section: Persona) -> list[str]:
    profiles = section.profiles.list
    return [profiles.item(i).text() for i in range(profiles.count())]


def take(qtbot: QtBot, section: Persona, place: int) -> None:
    profiles = section.profiles.list
    centre = profiles.visualItemRect(profiles.item(place)).center()
    qtbot.mouseClick(profiles.viewport(), LEFT, pos=centre)


def persona_page(page: SettingsPage) -> Persona:
    page.open("Persona")
    return page.section(Persona)


def test_choosing_a_profile_makes_the_assistant_it(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    page = opened()
    section = persona_page(page)
    take(qtbot, section, 1)
    jonas = personas.BUILT_IN[1].persona
    assert page.editing.config.persona == jonas
    assert section.name.field.text() == "Jonas"
    assert jonas.tone in section.prompt.text.text()
    qtbot.waitUntil(lambda: machine.file.exists() and saved(machine).persona == jonas)


def test_a_profile_is_chosen_by_keyboard(qtbot: QtBot, opened: Open, machine: Machine) -> None:
    page = opened()
    profiles = persona_page(page).profiles.list
    qtbot.keyClick(profiles, Qt.Key.Key_Down)
    assert not machine.changes
    qtbot.keyClick(profiles, Qt.Key.Key_Return)
    assert page.editing.config.persona == personas.BUILT_IN[1].persona


def test_an_edited_profile_is_saved_as_a_new_one_and_deleted(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    page = opened()
    section = persona_page(page)
    section.name.field.selectAll()
    typed(section.name.field, "Zoë")
    qtbot.keyClick(section.name.field, Qt.Key.Key_Return)
    assert machine.changes == [{"persona.name": "Zoë"}]
    assert "You are Zoë," in section.prompt.text.text()
    click(qtbot, section.profiles.save_as)
    typed(section.profiles.title_field, "Größe: ../x")
    qtbot.keyClick(section.profiles.title_field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: titles(section) == ["GoAssist", "Jonas", "Größe: ../x"])
    folder = personas.folder(machine.file)
    assert [
        file.parent for file in machine.file.parent.rglob("*.toml") if file != machine.file
    ] == [folder]
    click(qtbot, section.profiles.delete)
    click(qtbot, confirm(page).yes)
    qtbot.waitUntil(lambda: len(titles(section)) == 2)
    assert page.editing.config.persona.name == "Zoë"


def confirm(page: SettingsPage) -> Confirm:
    """The question that is asked."""
    return next(one for one in page.findChildren(Confirm) if one.isVisible())


def test_changes_of_an_own_profile_are_marked_and_kept_or_undone(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    own = personas.save(personas.folder(machine.file), "Ada", config.Persona(name="Ada"))
    page = opened(persona__name="Ada")
    section = persona_page(page)
    qtbot.waitUntil(lambda: len(titles(section)) == 3)
    assert section.profiles.keep.isHidden()
    typed(section.tone.field, "Be brief.")
    qtbot.keyClick(section.tone.field, Qt.Key.Key_Tab)
    assert titles(section)[2] == "Ada – edited"
    click(qtbot, section.profiles.undo)
    assert page.editing.config.persona == own.persona
    assert not section.tone.field.toPlainText()
    typed(section.tone.field, "Be kind.")
    qtbot.keyClick(section.tone.field, Qt.Key.Key_Tab)
    click(qtbot, section.profiles.keep)
    qtbot.waitUntil(lambda: titles(section)[2] == "Ada")
    assert own.file is not None
    assert personas.read(own.file).persona.tone == "Be kind."


def test_a_profile_without_a_name_is_refused(qtbot: QtBot, opened: Open) -> None:
    section = persona_page(opened())
    click(qtbot, section.profiles.save_as)
    typed(section.profiles.title_field, "   ")
    qtbot.keyClick(section.profiles.title_field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: section.profiles.fault == "Give the profile a name.")


def test_a_profile_that_can_not_be_read_is_told(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    folder = personas.folder(machine.file)
    folder.mkdir(parents=True)
    (folder / "x.toml").write_text("[")
    section = persona_page(opened())
    qtbot.waitUntil(lambda: "x.toml" in section.profiles.fault)


def test_texts_have_an_end(qtbot: QtBot, opened: Open) -> None:
    section = persona_page(opened())
    section.tone.field.setPlainText("é" * 5000)
    section.role.field.setText("x" * 5000)
    assert len(section.tone.field.toPlainText()) == personas.LONGEST["tone"]
    assert len(section.role.field.text()) == personas.LONGEST["role"]


def test_the_rules_have_a_way_back(qtbot: QtBot, opened: Open) -> None:
    page = opened(reply__system_prompt="Sing.")
    rules = persona_page(page).rules
    typed(page.search, "rules")
    click(qtbot, rules.default)
    assert page.editing.config.reply.system_prompt == config.SYSTEM_PROMPT
    assert rules.default.isHidden()


# -- face, appearance, conversation ----------------------------------------------------------------


def test_a_head_is_chosen_by_its_picture(qtbot: QtBot, opened: Open, machine: Machine) -> None:
    page = opened()
    page.open("Face")
    mira, jonas = page.section(Face).head_line.tiles.tiles
    assert mira.grab().toImage() != jonas.grab().toImage()
    mira.setFocus()
    qtbot.keyClick(mira, Qt.Key.Key_Right)
    assert jonas.isChecked()
    assert machine.changes == [{"persona.head": "jonas"}]


@pytest.mark.parametrize("nonsense", ["studio", "http://x:1", "a:99999", "ü:1", ":::", "x" * 150])
def test_an_address_that_is_none_is_refused_where_it_stands(
    qtbot: QtBot, opened: Open, machine: Machine, nonsense: str
) -> None:
    page = opened()
    page.open("Face")
    line = page.section(Face).live_link
    typed(line.field, nonsense)
    qtbot.keyClick(line.field, Qt.Key.Key_Return)
    assert line.fault.startswith("Must be a host and a port from 1 to 65535")
    assert line.field.text() == nonsense
    assert not machine.changes
    line.field.clear()
    typed(line.field, " studio:11111 ")
    assert not line.fault
    qtbot.keyClick(line.field, Qt.Key.Key_Return)
    assert machine.changes == [{"face.live_link": "studio:11111"}]
    assert line.field.text() == "studio:11111"


def test_the_address_of_the_service_is_asked_for_only_with_it(qtbot: QtBot, opened: Open) -> None:
    page = opened()
    page.open("Face")
    face = page.section(Face)
    assert not face.service.isVisible()
    typed(page.search, "address")
    assert not face.service.isVisible()
    page.open("Face")
    for _ in range(2):
        qtbot.keyClick(face.engine.choice, Qt.Key.Key_Down)
    assert page.editing.config.face.engine == "audio2face-service"
    assert face.service.isVisible()


def test_the_choices_are_those_of_the_settings() -> None:
    assert set(HEADS) == set(config.allowed("persona.head"))
    assert all((shipped.folder() / "heads" / f"{head}.jpg").is_file() for head in HEADS)
    assert set(THEMES) == set(config.allowed("window.theme"))
    for values in WAITING.values():
        assert list(values) == sorted(values)


def test_a_theme_is_chosen(qtbot: QtBot, opened: Open, machine: Machine) -> None:
    page = opened()
    page.open("Appearance")
    tiles = page.section(Appearance).theme_line.tiles.tiles
    click(qtbot, tiles[3])
    assert machine.changes == [{"window.theme": "contrast"}]


def test_it_starts_at_login_if_asked_to(
    qtbot: QtBot, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    page = opened()
    page.open("Appearance")
    (switch,) = (one for one in page.findChildren(Switch) if "login" in one.accessibleName())
    qtbot.mouseClick(switch, LEFT)
    assert switch.isChecked()
    assert autostart.is_on()
    qtbot.mouseClick(switch, LEFT)
    assert not autostart.is_on()
    autostart.entry_path().parent.rmdir()
    autostart.entry_path().parent.write_text("in the way of the folder")
    qtbot.mouseClick(switch, LEFT)
    assert not switch.isChecked()
    assert any("File exists" in line.fault for line in page.findChildren(Line))


def test_the_text_size_is_taken_when_the_slider_rests(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    page = opened()
    page.open("Appearance")
    line = page.section(Appearance).text_size
    for _ in range(4):
        qtbot.keyClick(line.slider, Qt.Key.Key_Right)
    assert line.figure.text() == "120%"
    assert not machine.changes
    qtbot.waitUntil(lambda: machine.changes == [{"window.text_scale": 1.2}])


def test_turn_taking_in_three_steps_and_exactly(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    page = opened()
    page.open("Conversation")
    section = page.section(Conversation)
    click(qtbot, section.waiting.tiles.tiles[2])
    assert page.editing.config.turn_taking == config.TurnTaking(*WAITING["patient"])
    assert section.unsure.box.value() == WAITING["patient"][1]
    click(qtbot, section.waiting_fold.button)
    section.unsure.box.selectAll()
    typed(section.unsure.box, "1234")
    qtbot.keyClick(section.unsure.box, Qt.Key.Key_Return)
    assert page.editing.config.turn_taking.unsure_ms == 1234.0
    assert not any(tile.isChecked() for tile in section.waiting.tiles.tiles)


def test_values_that_do_not_agree_are_refused(qtbot: QtBot, opened: Open, machine: Machine) -> None:
    page = opened(reply__context_tokens=1024)
    page.open("Conversation")
    section = page.section(Conversation)
    click(qtbot, section.length_fold.button)
    section.tokens.box.selectAll()
    typed(section.tokens.box, "2000")
    qtbot.keyClick(section.tokens.box, Qt.Key.Key_Return)
    assert section.tokens.fault.startswith("Must be at most half of reply.context_tokens = 1024")
    assert not machine.changes


# -- privacy and about -----------------------------------------------------------------------------


def test_what_is_kept_is_said(qtbot: QtBot, opened: Open) -> None:
    page = opened()
    page.open("Data and privacy")
    privacy = page.section(Privacy)
    assert privacy.summary.text() == f"{NOTHING_KEPT} {NOTHING_LEAVES}"
    click(qtbot, privacy.history.switch)
    kept = "The words of your conversations are kept on this machine."
    assert privacy.summary.text() == f"{kept} {NOTHING_LEAVES}"
    page.editing.put({"face.live_link": "studio:11111"})
    assert privacy.summary.text() == f"{kept} The movements of the face go to studio:11111."
    page.editing.put({"face.live_link": "", "engines.recognition": "deepgram"})
    assert privacy.summary.text() == f"{kept} What you say goes to Deepgram, which understands it."
    page.editing.put({"engines.recognition": "whisper", "host.enabled": True})
    assert privacy.summary.text() == f"{kept} {NOTHING_LEAVES}"
    page.editing.put({"host.network": True})
    assert privacy.summary.text() == (
        f"{kept} Who talks in a browser is heard here through your network, encrypted."
    )


def test_everything_is_deleted_only_after_it_was_named_and_confirmed(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    page = opened()
    page.open("Data and privacy")
    privacy = page.section(Privacy)
    click(qtbot, privacy.delete)
    qtbot.waitUntil(lambda: bool(page.findChildren(Confirm)))
    assert "3 conversations, 12 kB" in confirm(page).text
    qtbot.keyClick(confirm(page), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not page.findChildren(Confirm))
    click(qtbot, privacy.delete)
    qtbot.waitUntil(lambda: bool(page.findChildren(Confirm)))
    assert ("delete everything",) not in machine.asked
    click(qtbot, confirm(page).yes)
    qtbot.waitUntil(lambda: privacy.delete.text() == "Deleted")
    assert machine.asked.count(("delete everything",)) == 1


def test_with_nothing_kept_there_is_nothing_to_delete(
    qtbot: QtBot, opened: Open, machine: Machine
) -> None:
    machine.stored = []
    page = opened()
    page.open("Data and privacy")
    privacy = page.section(Privacy)
    click(qtbot, privacy.delete)
    qtbot.waitUntil(lambda: privacy.delete_line.fault == "There is nothing to delete.")


@pytest.mark.parametrize("with_words", [False, True])
def test_diagnostics_hold_what_was_said_only_when_asked(
    qtbot: QtBot,
    opened: Open,
    machine: Machine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    with_words: bool,
) -> None:
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "report"), "Zip (*.zip)")
    )
    page = opened()
    page.open("Data and privacy")
    privacy = page.section(Privacy)
    if with_words:
        click(qtbot, privacy.with_words)
    click(qtbot, privacy.export)
    qtbot.waitUntil(lambda: ("export", tmp_path / "report.zip", with_words) in machine.asked)
    qtbot.waitUntil(lambda: privacy.export.text() == "Exported")


def test_a_failed_export_is_told(
    qtbot: QtBot, opened: Open, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("/nowhere/x.zip", ""))
    machine.fault = PermissionError(13, "Permission denied", "/nowhere/x.zip")
    page = opened()
    page.open("Data and privacy")
    privacy = page.section(Privacy)
    click(qtbot, privacy.export)
    qtbot.waitUntil(lambda: privacy.export_line.fault == "/nowhere/x.zip: Permission denied")
    assert privacy.export.isEnabled()


def test_the_machine_is_checked_line_by_line(qtbot: QtBot, opened: Open, machine: Machine) -> None:
    page = opened(profile="ci")
    page.open("About")
    check = page.section(About).check
    click(qtbot, check.start)
    qtbot.waitUntil(lambda: check.start.text() == "Check again")
    assert [[cell.text() for cell in row] for row in check.rows] == [
        ["Fine", "Python", "3.11"],
        ["Fault", "disk", "0 GB free\n→ free some space"],
    ]
    assert ("examine", "ci") in machine.asked


def test_licences_can_be_read(qtbot: QtBot, opened: Open) -> None:
    page = opened()
    page.open("About")
    licences = page.section(About).licences
    qtbot.waitUntil(lambda: "Apache License" in licences.text.toPlainText())
    qtbot.keyClick(licences.choice, Qt.Key.Key_Down)
    assert licences.text.toPlainText().startswith("# Licences of the models")


def test_a_bug_in_a_thread_is_not_swallowed(qtbot: QtBot, opened: Open, machine: Machine) -> None:
    page = opened()
    machine.fault = ZeroDivisionError("ours")
    with qtbot.captureExceptions() as raised:
        click(qtbot, page.section(Sound).tone)
        qtbot.waitUntil(lambda: bool(raised))
    assert raised[0][0] is ZeroDivisionError


def test_a_page_that_is_gone_is_told_nothing(
    qtbot: QtBot, assistant: ScriptedAssistant, machine: Machine
) -> None:
    """Closed while a thread still looks for devices."""
    go_on, looked = threading.Event(), threading.Event()

    class Slow(Machine):
        def list_devices(self) -> Sequence[SoundDevice]:
            go_on.wait(5)
            looked.set()
            return []

    slow = Slow(machine.file)
    page = SettingsPage(assistant, Config(), slow.changes.append, slow.services())
    page.show()
    page.deleteLater()
    qtbot.waitUntil(lambda: not shiboken6.isValid(page))
    go_on.set()
    qtbot.waitUntil(looked.is_set)
    QApplication.processEvents()


def test_pictures(qtbot: QtBot, opened: Open, shoot: Shoot) -> None:
    page = opened(audio__output_device="a box that is not there")
    for kind in (Sound, Persona, Appearance):
        page.open(kind.TITLE)
        for path in shoot(page, f"settings-{kind.__name__.lower()}"):
            assert path.stat().st_size > 10_000
    lines = page.section(Sound).findChildren(Line)
    page.open("Sound")
    theme().use("contrast", 2.0)
    page.resize(1280, 800)
    QApplication.processEvents()
    assert all(line.width() <= page.stack.width() for line in lines)
