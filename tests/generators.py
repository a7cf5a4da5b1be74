"""Messages made from their types: arbitrary ones for properties, one fixed sample for golden bytes.

`python -m tests.generators` prints the golden bytes of all messages; tests/common/messages/golden.json holds them.
"""

import json
import sys
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from common.messages import MESSAGES, Message, encode

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1  # what MessagePack carries on both signs

T = TypeVar("T")


def strategy(kind: type[T]) -> st.SearchStrategy[T]:
    """Arbitrary values of a message, a part of one, or a field's type."""
    found: st.SearchStrategy[T] = _strategy(kind)
    return found


def messages() -> st.SearchStrategy[Message]:
    """Arbitrary messages of every kind."""
    return st.sampled_from(MESSAGES).flatmap(strategy)


def sample(kind: type[T]) -> T:
    """Return the one fixed value of a type, in which no field has its default."""
    found: T = _sample(kind, "x", 1)
    return found


def golden() -> dict[str, str]:
    """Return name -> hex of the encoded sample, of every message."""
    return {kind.__name__: encode(sample(kind)).hex() for kind in MESSAGES}


_LEAVES: dict[object, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(INTEGER_MIN, INTEGER_MAX),
    float: st.floats(allow_nan=False),
    str: st.text(),
    bytes: st.binary(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    NoneType: st.none(),
}


def _strategy(kind: Any) -> st.SearchStrategy[Any]:  # types are values here
    kind = _plain(kind)
    origin, parts = get_origin(kind), get_args(kind)
    if kind in _LEAVES:
        return _LEAVES[kind]
    if origin in (Union, UnionType):
        return st.one_of(*(_strategy(part) for part in parts))
    if origin is tuple and parts[-1] is Ellipsis:
        return st.lists(_strategy(parts[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(_strategy(part) for part in parts))
    if origin is dict:
        return st.dictionaries(_strategy(parts[0]), _strategy(parts[1]), max_size=3)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    return st.builds(kind, **{name: _strategy(part) for name, part in _fields(kind).items()})


def _sample(kind: Any, name: str, index: int) -> Any:  # types are values here
    kind = _plain(kind)
    origin, parts = get_origin(kind), get_args(kind)
    leaves: dict[object, Any] = {
        bool: True,
        int: 1_000 * index + 7,
        float: index + 0.25,
        str: name,
        bytes: name.encode(),
        Decimal: Decimal(f"{index}.50"),
    }
    if kind in leaves:
        return leaves[kind]
    if origin in (Union, UnionType):
        return _sample(parts[0], name, index)
    if origin is tuple and parts[-1] is Ellipsis:
        return tuple(_sample(parts[0], name, index + n) for n in (1, 2))
    if origin is tuple:
        return tuple(_sample(part, name, index + n) for n, part in enumerate(parts))
    if origin is dict:
        return {_sample(parts[0], name, index): _sample(parts[1], name, index)}
    if issubclass(kind, Enum):
        return list(kind)[-1]
    return kind(**{field: _sample(part, field, n) for n, (field, part) in enumerate(_fields(kind).items(), start=1)})


def _plain(kind: Any) -> Any:
    while isinstance(kind, NewType):
        kind = kind.__supertype__
    return kind


def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in msgspec.structs.fields(kind)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(golden(), indent=1) + "\n")
