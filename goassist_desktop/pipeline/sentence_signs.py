"""What the words so far say of whether the user has finished: a handful of plain signs.

English only. No sign is proof: `endpointing` weighs them together with the melody.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEVER_LAST: Final = _words(
    "a an the my your our their every and or but because if although unless until whether "
    "very um uh uhm er erm hmm hum hm mm whose between into than except i we they he she i'm "
    "you're we're they're i'd you'd we'd i'll you'll we'll i've we've"
)
"""Nothing ends with one of these."""
SELDOM_LAST: Final = _words(
    "to of in on at by for from with about under like as is are was were am be "
    "been being has had do does did can could will would shall should may might must which "
    "who what when where while his its it's he's she's that's there's what's some any more other "
    "these those so also then really just tell give gave show bring brought send sent buy bought "
    "need needs want wants find found make makes made explain recommend suggest describe visit "
    "visited sell sold build built take took put get got let order reached remind using"
)
"""These need a word after them, unless it was said before: "What are you waiting for?" """
_FRONTED: Final = _words("what who whom which where whatever whoever")
_BEING: Final = _words("is are was were am be")
_PAIRS: Final = re.compile(
    r".*\b(to (know|learn|understand|see|say|tell|ask|find|have|take|make|get|buy|use|do)|find out|"
    r"(tell|show|give|send|bring) (me|us|him|them)|(and|or|but) you|(are|be|is|was|were) much|"
    r"(said|says?|thinks?|thought|believes?|hopes?|means?|sure|remember|heard|"
    r"told (me|him|us|them)) that|"
    r"the (next|only|other|same|nearest|biggest|largest|smallest|best|latest))"
)
"""As open as SELDOM_LAST, although the last word alone is not."""
_BARE: Final = re.compile(
    r".*\b((can|could|would|will|may|should) (you|i|we)( please)?|to|please) (?P<verb>[a-z]+)"
)
_ALONE: Final = _words(
    "help wait go come stop start leave talk speak sleep swim dance sing drive run walk work play "
    "eat drink cook read live stay sit stand rest listen think hear win lose fly travel change "
    "rain snow laugh cry pay call stop start begin happen answer continue repeat hurry smile grow"
)
"""Verbs that need no object: "Can you swim?"; after "could you" or "to" the others do."""
_COMPLETE: Final = re.compile(r".*\b(or|think|hope|guess|suppose|believe|not) so")
_OPENERS: Final = re.compile(
    r"(okay |oh )?(so|well|now|actually|anyway|hmm|hum|um|uh|i mean|you know|let me (see|think)|"
    r"let's see|by the way|in short|to be honest|on the other hand|for example|first of all|"
    r"let (me|us|him|them)|"
    r"(would|do) you mind|(can|could|would|will) (you|i|we)( please)?)"
)
"""Said before the sentence itself."""
_SUBORDINATE: Final = re.compile(
    r"(and |but |so )?(if|when|whenever|while|because|since|after|before|although|though|unless|"
    r"until|once|as soon as|as long as|even if|now that) "
    r"(?!(is|are|was|were|do|does|did|can|will) )"
)
_SUBJECT: Final = re.compile(r"(the|a|an|my|your|his|her|our|their|this|one of|most of|all|some) ")
_ASKING: Final = re.compile(r"(and |so |but )?(what|which|how|who|whose|where|when|why) ")
_RELATIVE: Final = _words("who that which why where whom")
_DICTATED: Final = re.compile(
    r"(\d[\d.\-]*(st|nd|rd|th|s)?|[a-z](-[a-z])*-?|oh|zero|one|two|three|four|five|six|seven|eight|nine)"
)
_SPELLED: Final = re.compile(r"\b[A-Z]{2,}[.,?]?$")
_DICTATION: Final = re.compile(
    r"\b(number|code|password|pin|account|zip|serial|spelled|spell|name|reach me|"
    r"call me (on|at)|dial|write down|right down)\b"
)
_NO_ITEM: Final = _words("and or please i thanks a an the then too")
_ANSWERS: Final = _words(
    "yes yeah yep no nope okay ok alright sure thanks thank hello hi hey goodbye bye good great "
    "maybe perhaps tomorrow today never nothing please sorry right exactly stop"
)
_VERBS: Final = _words(
    "am is are was were be been being do does did have has had can could will would shall should "
    "may might must i'm you're he's she's it's we're they're that's there's i'd i'll i've let's "
    "go went come came see saw seen get got make made take took know knew known think thought say "
    "said tell told give gave given find found want need like love use work call try ask feel "
    "felt leave left put mean meant keep kept let begin began show hear heard play run ran live "
    "believe bring brought happen write wrote sit sat stand stood lose lost pay paid meet met set "
    "learn change understand understood watch follow stop speak spoke read spend spent grow grew "
    "open close walk win won teach taught offer remember buy bought send sent build built stay "
    "fall fell cut reach drive drove eat ate drink sleep wake woke turn add repeat describe "
    "translate cancel remind explain recommend suggest sell sold wear sing swim fly help start "
    "wait talk cost forget forgot regret plan prefer enjoy look visit order wish hope guess "
    "lock try carry choose check clean collect compare convert count create define deliver fill "
    "fix include mention name pick prepare print push pull raise receive remove rent replace "
    "reserve save share solve update wash finish book "
    "hurt sound seem smell taste rain snow fit break broke die matter"
)


class Signs(NamedTuple):
    """Each True where the words show it, of the last sentence begun."""

    trails: bool
    """It breaks off: "...", a comma, a dash."""
    unended: bool
    """The recogniser heard no full stop, question or exclamation mark at all."""
    asked: bool
    """It ends in a question mark."""
    dangles: bool
    """The last word needs another one after it."""
    begins: bool
    """Nothing but what is said before a sentence: "Well", "Can you"."""
    partial: bool
    """A subject, a question word's noun or a first clause, without what it belongs to."""
    dictates: bool
    """Digits or letters of a number that may go on."""
    lists: bool
    """The last item of a list without the "and" before it."""
    few: bool
    """At most three words that are no answer in themselves: people often pause after so few."""


def signs(text: str) -> Signs:
    """The signs in what a recogniser wrote. All False for no words, but `unended`."""
    text = text.strip().replace("’", "'")
    sentences = [s for s in re.split(r"(?<=[.?!])\s+", text.lower()) if re.search(r"\w", s)]
    last = sentences[-1] if sentences else ""
    plain = re.sub(r"[^\w'\-., ]", "", last).rstrip(" .,-")
    clauses = [clause.strip() for clause in plain.split(",")]
    words = plain.replace(",", " ").split()
    if not words:
        return Signs(*(name == "unended" for name in Signs._fields))
    fronted = any(word in _FRONTED for word in words[:-2]) or (
        words[-1] in _BEING and any(word in _RELATIVE | {"how"} for word in words[:-2])
    )
    said = _COMPLETE.fullmatch(plain) is not None
    verbs = sum(_is_verb(word) for before, word in pairwise(["", *words]) if before != "to")
    return Signs(
        trails=text.endswith(("...", "…", ",", "-", "–", "—", ":")),
        unended=text[-1] not in ".?!…,-–—:",
        asked=text.endswith("?"),
        dangles=words[-1] in NEVER_LAST
        or (words[-1] in SELDOM_LAST and not fronted and len(words) > 1 and not said)
        or ((_PAIRS.fullmatch(plain) is not None or _lacks_object(plain)) and not fronted),
        begins=all(_OPENERS.fullmatch(clause) for clause in clauses if clause not in _ANSWERS)
        and clauses[-1] not in _ANSWERS,
        partial=_is_partial(plain, clauses, verbs, asked=text.endswith("?")),
        dictates=_dictates(words, text),
        lists=_lists(clauses),
        few=len(words) <= 3 and words[0] not in _ANSWERS,
    )


def _is_verb(word: str) -> bool:
    return (
        word in _VERBS
        or word.removesuffix("s") in _VERBS
        or word.endswith("n't")
        or (len(word) > 4 and word.endswith("ed"))
    )


def _lacks_object(plain: str) -> bool:
    bare = _BARE.fullmatch(plain)
    if bare is None or bare["verb"] in _ALONE:
        return False
    return bare["verb"] in _VERBS or bare[1].endswith(("you", "i", "we"))


def _is_partial(plain: str, clauses: list[str], verbs: int, *, asked: bool) -> bool:
    words = plain.replace(",", " ").split()
    if _SUBORDINATE.match(plain) and not (asked and words[0] in ("when", "where")):
        return len(clauses[-1].split()) == len(words) and len(words) <= 9
    if _SUBJECT.match(plain):
        return verbs == 0 or (verbs == 1 and any(word in _RELATIVE for word in words[1:6]))
    return verbs == 0 and len(words) >= 3 and _ASKING.match(plain) is not None


def _dictates(words: list[str], text: str) -> bool:
    run = 0
    for word in reversed(words):
        if not _DICTATED.fullmatch(word.rstrip(".")):
            break
        run += 1
    digits = sum(character.isdigit() for character in text)
    letters = _SPELLED.search(text) is not None
    named = _DICTATION.search(text.lower()) is not None
    return digits < 10 and (run > 1 or (named and (run > 0 or letters)))


def _lists(clauses: list[str]) -> bool:
    if len(clauses) < 2 or clauses[0].split()[:1] == [] or clauses[0].split()[0] in _ANSWERS:
        return False
    item = clauses[-1].split()
    return (
        0 < len(item) <= 2
        and item[0] not in _NO_ITEM
        and not any(_is_verb(word) or _DICTATED.fullmatch(word) for word in item)
    )
