"""What JSON looks like, learned from samples, and in what another piece of JSON differs from it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

# The venue's numbers have one decimal at least and no zeros that say nothing.
FORMS: Final = (
    ("decimal", re.compile(r"-?\d+\.(0|\d*[1-9])")),
    ("hash", re.compile(r"0x[0-9a-f]{64}")),
    ("address", re.compile(r"0x[0-9a-f]{40}")),
    ("cloid", re.compile(r"0x[0-9a-f]{32}")),
    ("unpolished number", re.compile(r"-?\d+(\.\d+)?")),
)


def form(value: Any) -> str:
    """Return the JSON type of a value; of a text also how it is written."""
    if isinstance(value, str):
        return next((name for name, pattern in FORMS if pattern.fullmatch(value)), "text")
    return {type(None): "null", bool: "bool", int: "int", float: "float", list: "list", dict: "dict"}[type(value)]


class Shape:
    """Learned from all samples of one place in a tree."""

    def __init__(self, samples: Iterable[Any] = ()) -> None:
        self.forms: set[str] = set()
        self.fields: dict[str, Shape] = {}
        self.always: set[str] | None = None  # keys of every sample
        self.items: Shape | None = None
        for sample in samples:
            self.learn(sample)

    def learn(self, sample: Any) -> None:
        self.forms.add(form(sample))
        if isinstance(sample, dict):
            self.always = set(sample) if self.always is None else self.always & set(sample)
            for key, value in sample.items():
                self.fields.setdefault(key, Shape()).learn(value)
        elif isinstance(sample, list):
            self.items = self.items or Shape()
            for item in sample:
                self.items.learn(item)

    def differences(self, ours: Any, path: str = "$") -> Iterator[str]:
        """Say where ours has another type, another form, a key too many or one too few."""
        if form(ours) not in self.forms:
            yield f"{path} is {form(ours)}, theirs {'/'.join(sorted(self.forms))}"
            return
        if isinstance(ours, dict):
            yield from (f"{path}.{key} is missing" for key in sorted((self.always or set()) - set(ours)))
            for key, value in ours.items():
                if key in self.fields:
                    yield from self.fields[key].differences(value, f"{path}.{key}")
                else:
                    yield f"{path}.{key} is ours alone"
        elif isinstance(ours, list) and self.items is not None and self.items.forms:
            for item in ours:
                yield from self.items.differences(item, f"{path}[]")
