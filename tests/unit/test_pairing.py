from __future__ import annotations

import pytest

from goassist_desktop.host.pairing import VALID_S, Pairing, grouped


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_code_is_good_once() -> None:
    pairing = Pairing()
    code = pairing.code
    assert len(code) == 8 and code.isdigit()
    assert pairing.redeem(code)
    assert not pairing.redeem(code)
    assert pairing.code != code


def test_it_may_be_typed_as_it_is_read() -> None:
    pairing = Pairing()
    assert grouped("12345678") == "1234 5678"
    assert pairing.redeem(f" {grouped(pairing.code)}\n")


@pytest.mark.parametrize("code", ["", "0", "x" * 10_000, "\uff11" * 8])
def test_nothing_else_is(code: str) -> None:
    pairing = Pairing()
    before = pairing.code
    assert not pairing.redeem(code)
    assert pairing.code == before


def test_it_is_good_for_ten_minutes() -> None:
    clock = Clock()
    pairing = Pairing(clock)
    code = pairing.code
    clock.now = VALID_S - 1
    assert pairing.code == code and pairing.left_s == 1
    clock.now = VALID_S
    assert not pairing.redeem(code)
    assert pairing.code != code and pairing.left_s == VALID_S


def test_a_new_one_ends_the_one_before() -> None:
    pairing = Pairing()
    code = pairing.code
    pairing.renew()
    assert not pairing.redeem(code)
