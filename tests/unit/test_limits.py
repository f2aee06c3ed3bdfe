from __future__ import annotations

import pytest

from goassist_desktop.host.limits import MOST_WINDOWS, WINDOW_S, Limits


def test_the_window_slides() -> None:
    limits = Limits({"create": 2})
    assert limits.take("10.0.0.1", "create", 0.0) is None
    assert limits.take("10.0.0.1", "create", 30.0) is None
    assert limits.take("10.0.0.1", "create", 40.5) == 20
    assert limits.take("10.0.0.1", "create", WINDOW_S) is None
    assert limits.take("10.0.0.1", "create", WINDOW_S) == 30


def test_who_waits_is_not_made_to_wait_longer_by_asking() -> None:
    limits = Limits({"create": 1})
    limits.take("10.0.0.1", "create", 0.0)
    for second in range(1, 60):
        assert limits.take("10.0.0.1", "create", float(second)) == 60 - second
    assert limits.take("10.0.0.1", "create", 60.0) is None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
    ],
)
def test_whose_requests_count_together(first: str, second: str, same: bool) -> None:
    limits = Limits({"create": 1})
    assert limits.take(first, "create", 0.0) is None
    assert (limits.take(second, "create", 0.0) is not None) == same


def test_a_flood_of_addresses_is_not_remembered_for_ever() -> None:
    limits = Limits({"create": 1})
    for number in range(3 * MOST_WINDOWS):
        limits.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "create", 0.0)
    assert len(limits._windows) <= MOST_WINDOWS
