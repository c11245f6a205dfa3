"""Patterns in RE2's language, which sources and table code write, in that of Java: the same texts match."""

import re

from tandem.errors import SourceError

_WORD = "[0-9A-Za-z_]"
_BLANK = r"\t\n\f\r "
OUTSIDE = {
    "$": r"\z",
    r"\b": f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))",
    r"\B": f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))",
    r"\s": f"[{_BLANK}]",
    r"\S": f"[^{_BLANK}]",
    r"\v": r"\x0B",
    "{": r"\{",
}
"""What stands outside of brackets and means something else in Java."""

INSIDE = {"[": r"\[", "&": r"\&", "^": r"\^", r"\s": _BLANK, r"\S": f"[^{_BLANK}]", r"\v": r"\x0B"}
"""The same inside of brackets."""

POSIX = {"word": "w", "ascii": "p{ASCII}", "xdigit": "p{XDigit}"}
"""Classes in brackets whose Java name is not RE2's with a capital."""

_CHARACTER = r"\\[pP]\{(?P<not>\^?)(?P<script>\w+)\}|\\.|."
_TOKEN_INSIDE = re.compile(r"\[:(?P<negated>\^?)(?P<posix>[a-z]+):\]|" + _CHARACTER, re.DOTALL)
_TOKEN_OUTSIDE = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)|(?P<group>\(\?P<\w+>)|\(\?(?P<flags>[a-zA-Z-]+)(?P<end>[:)])|\{\d+(?:,\d*)?\}|"
    r"(?P<bracket>\[\^?\]?)|" + _CHARACTER,
    re.DOTALL,
)


def to_java(pattern: str) -> str:
    """The Java pattern that finds what RE2 finds with `pattern`, which RE2 takes.

    Raises:
        SourceError: it uses what Java lacks: the flags m and U, or \\C.
    """
    found, place, inside = ["(?d)"], 0, False
    while match := (_TOKEN_INSIDE if inside else _TOKEN_OUTSIDE).match(pattern, place):
        found.append(_inside(match) if inside else _outside(match, pattern))
        inside = match.group() != "]" if inside else match["bracket"] is not None
        place = match.end()
    return "".join(found)


def replacement(text: str) -> str:
    """What RE2 puts in place, `\\1` for a group, in Java's words."""
    return re.sub(r"\\(\d)|\\\\|\$", lambda m: f"${m[1]}" if m[1] else "\\" + m[0][-1], text)


def _outside(match: re.Match[str], pattern: str) -> str:
    token = match.group()
    if match["quoted"] is not None:
        return re.escape(match["quoted"])
    if match["group"]:
        return "("
    if match["bracket"]:
        return token.replace("]", r"\]")
    if flags := match["flags"]:
        if set(flags) - set("is-"):
            raise _lacking(pattern, f"(?{flags})")
        return f"(?{flags.replace('i', 'iu')}{match['end']}"
    if re.fullmatch(r"\\[C1-9]", token):
        raise _lacking(pattern, token)
    return OUTSIDE.get(token) or _of_script(match)


def _inside(match: re.Match[str]) -> str:
    if name := match["posix"]:
        java = POSIX.get(name, f"p{{{name.capitalize()}}}")
        return "\\" + (java[0].upper() + java[1:] if match["negated"] else java)
    return INSIDE.get(match.group()) or _of_script(match)


def _of_script(match: re.Match[str]) -> str:
    """Scripts have longer names than categories, and a prefix in Java."""
    token, name = match.group(), match["script"]
    if name is None:
        return token
    letter = token[1].swapcase() if match["not"] else token[1]
    return rf"\{letter}{{{'Is' if len(name) > 2 else ''}{name}}}"


def _lacking(pattern: str, what: str) -> SourceError:
    return SourceError(f"pattern {pattern!r}: Spark knows no {what}; write it otherwise or set TANDEM_ENGINE=duckdb")
