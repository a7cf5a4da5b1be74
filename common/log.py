"""Log lines: one JSON object a line on stdout, secrets never, and no call that can raise.

Rules
  1. Values under a name that smells of a secret, runs of 64 or more hex digits, numbers too large for anything
     but a key, and all bytes become "***", at any depth and in names too.
  2. No code of the logged object runs (`repr` may raise or tell): what is not known here is named by its type.
  3. A line that cannot be written is lost; the service goes on.
"""

import json
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from typing import Any, Final, TypeAlias

import msgspec
import structlog

HIDDEN: Final = "***"
DEPTH_MAX: Final = 8  # deeper is a mistake or a cycle
ITEMS_MAX: Final = 100  # of one container: a book has 20 levels a side
NODES_MAX: Final = 2_000  # values of one line: 20 orders with all their fields
TEXT_MAX: Final = 8_000  # characters of one string; a traceback fits
INTEGER_BITS_MAX: Final = 128  # a cloid has 128; a private key 256

LEVELS: Final = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}

_SECRET_NAME: Final = re.compile(
    r"secret|passphrase|password|signature(?!s)|private|mnemonic|keys?$|(^|_)key_", re.IGNORECASE
)
_SECRET_TEXT: Final = re.compile(r"(?:0[xX])?[0-9a-fA-F]{64,}")

_VALUES: Final = "_values"

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


class Logger(structlog.BoundLoggerBase):
    """`log.info("quotes pulled", coin="BTC", reason=...)`; `bind(...)` gives one that adds values to every line."""

    def debug(self, event: str, **values: object) -> None:
        self._say("DEBUG", event, values)

    def info(self, event: str, **values: object) -> None:
        self._say("INFO", event, values)

    def warning(self, event: str, **values: object) -> None:
        self._say("WARNING", event, values)

    def error(self, event: str, **values: object) -> None:
        self._say("ERROR", event, values)

    def exception(self, event: str, **values: object) -> None:
        """Say an error with the traceback of the exception being handled."""
        self._say("ERROR", event, {"trace": traceback.format_exc(), **values})

    def _say(self, level: str, event: str, values: dict[str, object]) -> None:
        # the values travel as one keyword, so that none of them can collide with a parameter on the way
        self._proxy_to_logger(level, event, **{_VALUES: values})


class Lines:
    """Writes whole lines to stdout; supervisord keeps the files."""

    def msg(self, line: str) -> None:
        """Write one line; a reader that is gone must not end a service (rule 3)."""
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):  # ValueError: stdout is closed
            return

    DEBUG = INFO = WARNING = ERROR = msg


def configure(service: str, level: str) -> None:
    """Set what every line of this process says; `level` is a name of LEVELS, lines below it are dropped."""
    lowest = LEVELS[level]

    def chosen(_logger: Any, name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # structlog's type
        if LEVELS[name] < lowest:
            raise structlog.DropEvent
        return line

    def told(_logger: Any, name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # structlog's type
        values = line.pop(_VALUES)
        return {**line, **values, "service": service, "level": name, "event": line["event"]}

    structlog.configure(
        processors=[chosen, told, structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"), _redact, _render],
        wrapper_class=Logger,
        logger_factory=lambda *_: Lines(),
        cache_logger_on_first_use=False,
    )


def get() -> Logger:
    """Return the logger of this process; before `configure` it says so and hides secrets all the same."""
    if not structlog.is_configured():
        configure("unconfigured", "INFO")
    logger: Logger = structlog.get_logger()
    return logger


def redacted(value: object) -> Json:
    """Return what may be shown of a value, in JSON types (rules 1 and 2). Also for crash files and reports."""
    return _Redaction().value(value, 0)


class _Redaction:
    """Walks one value; what is left of NODES_MAX bounds the walk, cycles included."""

    def __init__(self) -> None:
        self._nodes_left = NODES_MAX

    def value(self, value: object, depth: int) -> Json:
        self._nodes_left -= 1
        match value:
            case None | bool():
                return value
            case Enum():
                return self.value(value.value, depth)
            case str():
                return _text(str.__str__(value))
            case PurePath() | Decimal():
                return _text(str(value))
            case int():
                return int(value) if value.bit_length() <= INTEGER_BITS_MAX else HIDDEN
            case float():
                return float(value) if isfinite(value) else str(float(value))  # JSON has no nan and no inf
            case bytes() | bytearray() | memoryview():
                return HIDDEN
            case _:
                return self._container(value, depth + 1) if depth < DEPTH_MAX else "..."

    def mapping(self, values: Mapping[Any, object], depth: int) -> dict[str, Json]:  # a key may be anything
        shown: dict[str, Json] = {}
        for name, value in list(values.items())[:ITEMS_MAX]:
            if self._nodes_left <= 0:
                shown["..."] = f"{len(values) - len(shown)} more"
                break
            key = name if isinstance(name, str) else str(self.value(name, depth))
            shown[_text(key)] = HIDDEN if _SECRET_NAME.search(key) else self.value(value, depth)
        return shown

    def _container(self, value: object, depth: int) -> Json:
        match value:
            case msgspec.Struct():
                return {"type": type(value).__name__, **self.mapping(msgspec.structs.asdict(value), depth)}
            case dict():
                return self.mapping(value, depth)
            case list() | tuple():
                return self._items(list(value), depth)
            case set() | frozenset():
                return sorted(self._items(list(value), depth), key=str)
            case BaseException():
                parts = [*value.args, value.filename] if isinstance(value, OSError) else list(value.args)
                return f"{type(value).__name__}: {', '.join(str(part) for part in self._items(parts, depth))}"
            case _:
                return f"<{_text(type(value).__name__)}>"

    def _items(self, values: list[object], depth: int) -> list[Json]:
        shown: list[Json] = []
        for value in values[:ITEMS_MAX]:
            if self._nodes_left <= 0:
                break
            shown.append(self.value(value, depth))
        return [*shown, f"... {len(values) - len(shown)} more"] if len(values) > len(shown) else shown


def _text(text: str) -> str:
    shown = _SECRET_TEXT.sub(HIDDEN, text)
    return shown if len(shown) <= TEXT_MAX else f"{shown[:TEXT_MAX]}... {len(shown) - TEXT_MAX} more"


def _redact(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> dict[str, Any]:  # structlog's type
    return _Redaction().mapping(line, 0)


def _render(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> str:  # structlog's type
    return json.dumps(line)  # ASCII only: lone surrogates of the venue cannot break the encoding of stdout
