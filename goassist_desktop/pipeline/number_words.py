"""Numbers, units, dates, times and formulas as the English words that say them (American usage).

`read(words)` gives the reading of each written word, in its place. A word is read in the light of
its neighbours: "km" after a number, "2024" after "in", "million" after "$5.2".
"""

# ruff: noqa: RUF001  (look-alike characters are what this is about)
from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from num2words import num2words

NUM = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
MONTHS = (
    "January February March April May June July August September October November December".split()
)
SHORT_MONTHS = {
    short + dot: name
    for name in MONTHS
    for short in {name[:3], "Sept" if name == "September" else name[:3]} - {name}
    for dot in ("", ".")
}
_MONTH_NAMES = frozenset(MONTHS) | SHORT_MONTHS.keys()
LONGEST_FORM = 64
"""Characters of the longest word that is looked at as an amount, a date or a formula."""
SCALES = frozenset(("thousand", "million", "billion", "trillion"))
SHORT_SCALES = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion", "t": "trillion"}
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
CODES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
UNITS = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "nm": "nanometer",
    "μm": "micrometer", "mi": "mile", "yd": "yard", "ft": "foot",
    "kg": "kilogram", "g": "gram", "mg": "milligram", "μg": "microgram", "lb": "pound",
    "lbs": "pound", "oz": "ounce", "l": "liter", "L": "liter", "ml": "milliliter",
    "mL": "milliliter", "ha": "hectare", "s": "second", "sec": "second", "ms": "millisecond",
    "μs": "microsecond", "ns": "nanosecond", "min": "minute", "h": "hour", "hr": "hour",
    "hrs": "hour", "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz",
    "KB": "kilobyte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "Mbps": "megabit per second", "Gbps": "gigabit per second", "W": "watt", "kW": "kilowatt",
    "MW": "megawatt", "kWh": "kilowatt hour", "V": "volt", "mV": "millivolt", "mA": "milliampere",
    "mAh": "milliampere hour", "J": "joule", "kJ": "kilojoule", "kcal": "kilocalorie",
    "Pa": "pascal", "kPa": "kilopascal", "hPa": "hectopascal", "dB": "decibel", "px": "pixel",
    "fps": "frame per second", "mph": "mile per hour", "rpm": "revolution per minute",
    "kmh": "kilometer per hour", "°": "degree", "°C": "degree Celsius", "°F": "degree Fahrenheit",
    "%": "percent",
}  # fmt: skip
SAME_PLURAL = frozenset(("hertz", "kilohertz", "megahertz", "gigahertz", "percent"))
POWERS = {"^2": "square ", "2": "square ", "^3": "cubic ", "3": "cubic "}
OPERATORS = {
    "<=": "is at most", "≤": "is at most", ">=": "is at least", "≥": "is at least",
    "!=": "is not equal to", "≠": "is not equal to", "==": "equals", "=": "equals",
    "->": "to", "=>": "to", "→": "to", "<": "is less than", ">": "is greater than",
    "≈": "is about", "+": "plus", "±": "plus or minus", "×": "times", "*": "times", "·": "times",
    "÷": "divided by", "−": "minus", "^": "to the power of", "√": "the square root of",
    "∞": "infinity", "~": "about", "&": "and", "@": "at", "#": "number",
}  # fmt: skip
BEFORE_A_NUMBER = {"<": "less than", ">": "more than", "≤": "at most", "≥": "at least"}
FIXED = {
    "c++": "C plus plus", "c#": "C sharp", "f#": "F sharp", ".net": "dot net",
    "24/7": "twenty-four seven", "and/or": "and or", "w/": "with", "w/o": "without",
    "dr.": "Doctor", "mr.": "Mister", "mrs.": "Missus", "ms.": "Miz", "prof.": "Professor",
    "st.": "Saint", "jr.": "Junior", "sr.": "Senior", "e.g.": "for example", "eg.": "for example",
    "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "vs": "versus",
    "approx.": "approximately", "fig.": "figure", "a.m.": "AM", "p.m.": "PM", "dept.": "department",
    "inc.": "Incorporated", "ltd.": "Limited", "est.": "established", "min.": "minimum",
    "max.": "maximum", "vol.": "volume",
}  # fmt: skip
YEAR_CUES = frozenset(
    """in since until till by before between after during around circa from early late mid year
    years spring summer autumn fall winter copyright ©""".split()
)
DENOMINATORS = {2: ("half", "halves"), 4: ("quarter", "quarters")}

_YEAR = re.compile(r"1[1-9]\d\d|20\d\d")
_OPERATOR = re.compile("(" + "|".join(map(re.escape, sorted(OPERATORS, key=len)[::-1])) + ")")
_UNIT = "|".join(map(re.escape, sorted(UNITS, key=len)[::-1]))
_UNIT_RE = re.compile(rf"({_UNIT})(\^?[23])?(?:/({_UNIT})(\^?[23])?)?")
_PIECES = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*")


def cardinal(digits: str) -> str:
    """Words of a whole or decimal number: "1,250.5" is "one thousand two hundred fifty point five".

    Long strings of digits that are no round number, and those with leading zeros, are spelled."""
    whole, point, fraction = digits.replace(",", "").partition(".")
    plain = "," not in digits
    spelled = (whole.startswith("0") and len(whole) > 1) or len(whole) > 15
    if spelled or (plain and len(whole) > 9 and not whole.endswith("000")):
        words = spell(whole)
    else:
        words = _words(int(whole or "0"))
    return f"{words} point {spell(fraction)}" if point else words


def spell(digits: str) -> str:
    """Digit by digit."""
    return " ".join(_words(int(digit)) for digit in digits if digit.isdecimal())


def ordinal(number: int) -> str:
    return _words(number, "ordinal")


def year(number: int) -> str:
    """1905 is "nineteen oh-five", 2024 "twenty twenty-four", 2007 "two thousand seven"."""
    return _words(number, "year")


def _words(number: int, form: str = "cardinal") -> str:
    words: str = num2words(number, to=form)  # type: ignore[no-untyped-call]
    return words.replace(" and ", " ").replace(",", "")  # as Americans say it


def read(words: Sequence[str]) -> list[str]:
    """The reading of each word; a word without number, unit or symbol comes back as it is.

    Words are free of surrounding punctuation, but for the dot of an abbreviation."""
    readings: list[str] = []
    years: set[int] = set()
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        after = words[index + 1] if index + 1 < len(words) else ""
        if _is_year(words, index, years):
            years.add(index)
            readings.append(year(int(word)))
        else:
            readings.append(_in_context(word, before, after) or _alone(word))
    return readings


def _is_year(words: Sequence[str], index: int, years: set[int]) -> bool:
    word = words[index]
    if not _YEAR.fullmatch(word):
        return False
    before = words[index - 1] if index else ""
    after = words[index + 1] if index + 1 < len(words) else ""
    if _UNIT_RE.fullmatch(after) or after.lower() in SCALES:
        return False
    joined = before.lower() in ("and", "to", "or", "through", "-", "–") and index - 2 in years
    dated = re.fullmatch(r"\d{1,2}(st|nd|rd|th)?", before) and index > 1
    return bool(
        joined
        or before.lower() in YEAR_CUES
        or before in _MONTH_NAMES
        or (dated and (words[index - 2] in _MONTH_NAMES))
        or after in ("AD", "BC", "CE", "BCE")
    )


def _in_context(word: str, before: str, after: str) -> str:
    """The reading a neighbour gives; "" when the word is to be read for itself."""
    number = re.search(rf"(?:^|[^\w.,$€£¥₹])(?P<n>{NUM})$", before)
    if unit := number and _unit(word.removesuffix("."), number["n"]):
        return unit
    if number and word in (*CURRENCIES, *CODES):
        return CURRENCIES[CODES.get(word, word)][number["n"] != "1"]
    if word.lower() in SCALES and (money := re.match(rf"-?([$€£¥₹])(?:{NUM})$", before)):
        return f"{word} {CURRENCIES[money[1]][1]}"
    if word.lower() in ("am", "pm") and re.fullmatch(r"\d{1,2}(:\d\d)?", before):
        return word.upper()
    if after.lower() in SCALES and (money := re.fullmatch(rf"(-?)[$€£¥₹]({NUM})", word)):
        return ("minus " if money[1] else "") + cardinal(money[2])
    if word in ("No.", "no.", "Nos.") and after[:1].isdecimal():
        return "number"
    if word == "St." and before[:1].isupper() and not after[:1].isupper():
        return "Street"
    if word in _BETWEEN and _operand(before) and _operand(after):
        numbers = before[-1].isdecimal() and after[-1].isdecimal()
        if word == "-" and _YEAR.fullmatch(before) and _YEAR.fullmatch(after):
            return "to"
        return _BETWEEN[word] if numbers or word != "–" else ""
    if re.fullmatch(r"\d{1,2}", word) and 1 <= int(word) <= 31:
        if before in _MONTH_NAMES:
            return ordinal(int(word))
        if after in _MONTH_NAMES:
            return f"the {ordinal(int(word))} of"
    if word in SHORT_MONTHS and (word.endswith(".") or after[:1].isdecimal()):
        return SHORT_MONTHS[word]
    return ""


_BETWEEN = {"-": "minus", "–": "to", "−": "minus", "/": "divided by", "*": "times", "·": "times"}


def _operand(word: str) -> bool:
    return bool(re.fullmatch(rf"-?(?:{NUM})|[b-zB-HJ-Z]|[$€£](?:{NUM})", word))


def _unit(word: str, number: str) -> str:
    match = _UNIT_RE.fullmatch(word)
    if not match:
        return ""
    name, power, per, per_power = match.groups()
    words = POWERS.get(power or "", "") + _plural(UNITS[name], number)
    return f"{words} per {POWERS.get(per_power or '', '')}{UNITS[per]}" if per else words


def _plural(unit: str, number: str) -> str:
    head, _, rest = unit.partition(" ")
    if number != "1" and head not in SAME_PLURAL:
        if rest == "hour" and head.startswith(("kilowatt", "milliampere")):
            return f"{unit}s"
        head = {"foot": "feet"}.get(head, head + "s")
    return f"{head} {rest}".strip()


def _alone(word: str) -> str:
    """The reading of a word for itself, by the first form that fits."""
    if fixed := FIXED.get(word.lower()):
        return fixed
    if word in OPERATORS:
        return OPERATORS[word]
    if word in UNITS and not word[0].isalpha():
        return _plural(UNITS[word], "")
    if word in CURRENCIES:
        return CURRENCIES[word][1]
    if "/" in word and (unit := _unit(word, "")):
        return unit
    if len(word) == 1 and (name := unicodedata.name(word, "")).startswith("GREEK"):
        return name.rsplit(" ", 1)[-1].lower()
    for pattern, reading in _FORMS if len(word) <= LONGEST_FORM else _ADDRESSES:
        match = pattern.fullmatch(word)
        if match and (words := reading(match)):
            return words
    if not any(char.isdecimal() or char in _SYMBOLS for char in word):
        return word
    return _parts(word)


_SYMBOLS = frozenset("".join(OPERATORS) + "".join(CURRENCIES) + "%°/") - {"-"}


def _parts(word: str) -> str:
    """Formulas and mixtures: "x<5", "2+2=4", "GPT-4o", "R&D", "#tag"."""
    if word[0] == "#" and word[1:2].isalpha():
        return _alone(word[1:])
    if word[0] in BEFORE_A_NUMBER and len(word) > 1:
        return f"{BEFORE_A_NUMBER[word[0]]} {_alone(word[1:])}"
    parts = [part for part in _OPERATOR.split(word) if part]
    if 1 < len(parts) and len(word) <= LONGEST_FORM:
        sums = any(part in ("=", "==", "+", "×", "*", "÷", "^") for part in parts)
        readings = []
        for part in parts:
            if sums and re.fullmatch(r"[\w.]+(?:[-/][\w.]+)+", part):
                part = part.replace("-", " − ").replace("/", " ÷ ")
                readings += [_alone(each) for each in part.split()]
            else:
                readings.append(OPERATORS.get(part) or _alone(part))
        return " ".join(readings)
    halves = word.split("/")
    if 1 < len(halves) and len(word) <= LONGEST_FORM and all(halves) and word[0].isdecimal():
        return ", ".join(_alone(half) for half in halves)
    pieces = _PIECES.findall(word)
    return " ".join(_number_or_name(piece) for piece in pieces)


def _number_or_name(piece: str) -> str:
    if not piece[0].isdecimal():
        return piece
    if re.fullmatch(NUM, piece):
        return cardinal(piece)
    return " point ".join(cardinal(part) for part in re.split("[.,]", piece))


def _time(match: re.Match[str]) -> str:
    hour, minute, second, half = match.groups()
    if int(hour) > 24 or int(minute) > 59:
        return ""
    words = cardinal(str(int(hour)))
    if int(minute):
        words += (" oh " if int(minute) < 10 else " ") + cardinal(str(int(minute)))
    elif not half and not second:
        words += " o'clock"
    if second:
        words += f" and {cardinal(str(int(second)))} seconds"
    return words + (f" {half[0].upper()}M" if half else "")


def _date(match: re.Match[str]) -> str:
    groups = match.groupdict()
    month, day = int(groups["month"]), int(groups["day"])
    if month > 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return ""
    return f"{MONTHS[month - 1]} {ordinal(day)}, {year(int(groups['year']))}"


def _money(match: re.Match[str]) -> str:
    sign, amount, scale = match["sign"], match["amount"], (match["scale"] or "").lower()
    one, many, coin, coins = CURRENCIES[sign]
    minus = "minus " if match["minus"] else ""
    if scale:
        return f"{minus}{cardinal(amount)} {SHORT_SCALES[scale]} {many}"
    whole, _, fraction = amount.partition(".")
    if len(fraction) > 2 or sign == "¥":
        return f"{minus}{cardinal(amount)} {many}"
    cents = int(fraction.ljust(2, "0"))
    words = []
    if int(whole.replace(",", "") or "0") or not cents:
        words.append(f"{cardinal(whole)} {one if whole == '1' else many}")
    if cents:
        words.append(f"{cardinal(str(cents))} {coin if cents == 1 else coins}")
    return minus + " and ".join(words)


def _range(match: re.Match[str]) -> str:
    low, high = match["low"], match["high"]
    if _YEAR.fullmatch(low) and (_YEAR.fullmatch(high) or re.fullmatch(r"\d\d", high)):
        return f"{year(int(low))} to {year(int(high)) if len(high) == 4 else cardinal(high)}"
    return f"{_alone(low)} to {_alone(high)}"


def _fraction(match: re.Match[str]) -> str:
    upper, lower = int(match[1]), int(match[2])
    if not 0 < upper < lower <= 100:
        return f"{cardinal(match[1])} over {cardinal(match[2])}"
    one, many = DENOMINATORS.get(lower, (ordinal(lower), ordinal(lower) + "s"))
    return f"{cardinal(match[1])} {one if upper == 1 else many}"


def _mixed(match: re.Match[str]) -> str:
    half = "a half" if match[2] == "1/2" else _alone(match[2])
    return f"{cardinal(match[1])} and {half}"


def _decade(match: re.Match[str]) -> str:
    number = int(match[1])
    words = year(number) if number > 99 else cardinal(match[1])
    return re.sub("y$", "ies", words) if words.endswith("y") else words + "s"


def _measure(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])} {_unit(match[2], match[1])}"


def _phone(match: re.Match[str]) -> str:
    plus = "plus " if match[0].startswith("+") else ""
    return plus + ", ".join(spell(group) for group in re.findall(r"\d+", match[0]))


def _minus(match: re.Match[str]) -> str:
    return f"minus {_alone(match[1])}"


def _dotted(match: re.Match[str]) -> str:
    return " dot ".join(_alone(part) for part in re.split(r"[./]", match[1]) if part)


def _address(match: re.Match[str]) -> str:
    user, host = (".".join(re.findall(r"\w+", part)) for part in match.groups())
    return " at ".join(" dot ".join(_alone(p) for p in part.split(".")) for part in (user, host))


_AMOUNT = rf"(?:[$€£¥₹]?(?:{NUM})|\d{{1,2}}:\d\d)"
_ADDRESSES = [
    (re.compile(pattern), reading)
    for pattern, reading in (
        (r"(?:https?://|www\.)+([\w-]+(?:\.[\w-]+)*)(?:[:/?#]\S*)?", _dotted),
        (r"([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)", _address),
        (r"((?:[A-Za-z][\w-]*\.)+[a-z]{2,5})(?:/\S*)?", _dotted),
    )
]
_FORMS = _ADDRESSES + [
    (re.compile(pattern), reading)
    for pattern, reading in (
        (r"(\d{1,2}):(\d\d)(?::(\d\d))?([ap]\.?m\.?)?", _time),
        (r"(\d{1,2})([ap]m)", lambda m: f"{cardinal(m[1])} {m[2].upper()}"),
        (r"(?P<year>[12]\d{3})-(?P<month>\d\d)-(?P<day>\d\d)", _date),
        (r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>[12]\d{3})", _date),
        (
            rf"(?P<minus>[-−]?)(?P<sign>[$€£¥₹])(?P<amount>{NUM})(?P<scale>[kKmMbBT]|bn)?",
            _money,
        ),
        (rf"(?P<minus>)(?P<amount>{NUM})(?P<sign>[$€£¥₹])(?P<scale>)", _money),
        (
            r"\+\d{7,15}|\+\d{1,3}(?:[-.]\d{2,4}){1,4}|(?:\(?\d{3}\)?[-.])?\d{3}-\d{4}|\(\d{3}",
            _phone,
        ),
        (rf"({NUM})", lambda m: cardinal(m[1])),
        (r"([\d,]+)(?:st|nd|rd|th)", lambda m: ordinal(int(m[1].replace(",", "") or "0"))),
        (r"'?(\d{1,3}0)s", _decade),
        (rf"[-−]((?:{NUM})\S*)", _minus),
        (r"(\d{1,4})/(\d{1,4})", _fraction),
        (r"(\d{1,4}) (\d{1,2}/\d{1,2})", _mixed),
        (rf"(?P<low>{_AMOUNT})[-–](?P<high>{_AMOUNT}\S*)", _range),
        (rf"({NUM})((?:{_UNIT})\S*)", lambda m: _measure(m) if _unit(m[2], m[1]) else ""),
        (rf"({NUM})[x×]", lambda m: f"{cardinal(m[1])} times"),
        (r"(\d+):(\d+)", lambda m: f"{cardinal(m[1])} to {cardinal(m[2])}"),
        (r"(\w+)\^([23])", lambda m: f"{_alone(m[1])} {'squared' if m[2] == '2' else 'cubed'}"),
    )
]
