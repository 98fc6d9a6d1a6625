"""Which PCI devices an address in nova's device_spec matches: nova.pci.devspec's globs and regular expressions.

- A missing or empty field matches anything: `:0a:00.`, `0a:00.*`. A glob is a whole field, never part of one.
- Fields are hexadecimal numbers, padded with zeros: `3b:0.0` is `*:3b:00.0`. Whatever int(text, 16) accepts is
  accepted: `0x3b`, ` 3b`, `3_b`, and `-1`, which then matches nothing.
- A regular expression is anchored at the start of a field, but not at its end, and compared with lower case, as
  addresses are written.
- A regular expression that is too complex to follow is not compiled: what it matches is not known.
- An address of a single function that is a PF also matches that PF's VFs.
"""

import functools
import re
from collections.abc import Mapping

from msgspec import Struct

from sriov_bootstrap.doctor.nova.regex_cost import compile_pattern, is_too_much

ANY = "*"
# Name of a field, which is also its key in a regular expression, its greatest value, its width.
DOMAIN, BUS, SLOT, FUNCTION = ("domain", 0xFFFF, 4), ("bus", 0xFF, 2), ("slot", 0x1F, 2), ("function", 0x7, 1)
FIELDS = (DOMAIN, BUS, SLOT, FUNCTION)
HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
Fields = tuple[str, str, str, str]


class AddressPattern(Struct, frozen=True):
    """Four fields, of a glob or (`is_regex`) of regular expressions. `is_too_much`: it is never matched."""

    fields: Fields = (ANY, ANY, ANY, ANY)
    is_regex: bool = False
    is_too_much: bool = False

    @property
    def is_everywhere(self) -> bool:
        """Whether it matches every address, as far as that is obvious."""
        return all(field in {"", ".*", ".+"} if self.is_regex else field == ANY for field in self.fields)

    @property
    def single(self) -> str:
        """The address, where it can be only one; "" otherwise."""
        if not all(HEX_DIGITS.issuperset(field) for field in self.fields):
            return ""
        return "{}:{}:{}.{}".format(*self.fields)

    def names(self, address: str) -> bool:
        """Whether it matches this function itself."""
        fields = device_fields(address)
        if fields is None or self.is_too_much:
            return False
        if self.is_regex:
            return all(_fits(mine, theirs) for mine, theirs in zip(self.fields, fields, strict=True))
        return all(mine in {ANY, theirs} for mine, theirs in zip(self.fields, fields, strict=True))


def parse_glob(text: str) -> AddressPattern:
    """`*:0a:00.*`; ValueError says what nova refuses."""
    rest, _, function = text.partition(".")
    parts = rest.split(":") if rest else []
    if len(parts) > len(FIELDS) - 1:
        raise ValueError(f'address "{text}" has more parts than domain, bus and slot')
    words = [ANY] * (3 - len(parts)) + [part.strip() or ANY for part in parts]
    words.append(function.strip() if function else ANY)
    numbers = [number(word, *field) for word, field in zip(words, FIELDS, strict=True)]
    return AddressPattern((numbers[0], numbers[1], numbers[2], numbers[3]))


def parse_regex(value: Mapping[str, object]) -> AddressPattern:
    """{"domain": ".*", "bus": "0[a-c]"}; ValueError says what nova refuses."""
    texts = [_regex(value.get(name, ".*"), name) for name, _, _ in FIELDS]
    costly = any(map(is_too_much, texts))
    return AddressPattern((texts[0], texts[1], texts[2], texts[3]), is_regex=True, is_too_much=costly)


def number(text: str, name: str, greatest: int, width: int) -> str:
    """A hexadecimal number as nova compares it, or "*"."""
    if text == ANY:
        return text
    try:
        value = int(text, 16)
    except ValueError:
        raise ValueError(f'{name} "{text}" is not a hexadecimal number{_half_glob(text)}') from None
    if value > greatest:
        raise ValueError(f"{name} {text} is above {greatest:x}")
    return f"{value:0{width}x}"


@functools.lru_cache(maxsize=4096)
def device_fields(address: str) -> Fields | None:
    """The fields of a device's own address; None for one that nova skips, such as `10000:01:00.0`."""
    rest, _, function = address.partition(".")
    parts = [*rest.split(":"), function]
    if len(parts) != len(FIELDS):
        return None
    try:
        domain, bus, slot, function = (number(part, *field) for part, field in zip(parts, FIELDS, strict=True))
    except ValueError:
        return None
    return domain, bus, slot, function


def _half_glob(text: str) -> str:
    return ': "*" must stand for a whole field' if ANY in text else ""


def _regex(text: object, name: str) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{name} in address must be a string with a regular expression")  # noqa: TRY004 - a bad value
    try:
        if not is_too_much(text):
            compile_pattern(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f'{name} "{text}" in address is not a regular expression: {error}') from None
    return text


@functools.lru_cache(maxsize=4096)
def _fits(pattern: str, text: str) -> bool:
    """A card's VFs share most of their fields."""
    return bool(compile_pattern(pattern).match(text))
