"""The configuration of a run: the profile's file, changed by the command line, checked as one.

Pure but for reading files. What comes out is written to HOME/config.toml, which is all that the services read.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from common import config
from common.config import Profile, Settings
from common.errors import ConfigFault

ROOT: Final = Path(__file__).resolve().parent.parent.parent
Document: TypeAlias = dict[str, Any]  # parsed TOML: config.parse checks every type of it


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line changes; None leaves the file's value."""

    assets: tuple[str, ...] = ()
    tape: Path | None = None
    venue_port: int | None = None
    metrics_port: int | None = None
    seed: int | None = None
    log_level: str | None = None


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """A checked configuration and the text that says the same."""

    settings: Settings
    text: str


def profile_file(profile: Profile) -> Path:
    return ROOT / "deploy" / f"{profile.value}.toml"


def effective(path: Path, overrides: Overrides) -> Effective:
    """Read, change and check; ConfigFault names the file, or the option that was wrong."""
    settings = config.load(path)
    document: Document = tomllib.loads(path.read_text())
    _choose_assets(document, overrides.assets, path)
    if settings.profile is Profile.SIM:
        _set(document, "venue_sim", "seed", overrides.seed)
        _set(document, "venue_sim", "port", overrides.venue_port)
        if overrides.tape is not None:
            _set(document, "venue_sim", "tape", str(readable(overrides.tape)))
        port = document.get("venue_sim", {}).get("port", settings.venue_sim.port)
        document["venue"]["url"] = f"http://127.0.0.1:{port}"
    elif wrong := _sim_only(overrides):
        raise ConfigFault(f"{wrong} belongs to the sim profile; {settings.profile} has a real venue")
    elif not settings.venue.account:
        raise ConfigFault(
            f"{path}: venue.account: is empty; write the address that owns the positions there, then `mm keys init`"
        )
    _set(document, "metrics", "port", overrides.metrics_port)
    _set(document, "log", "level", overrides.log_level)
    text = toml_text(document)
    checked = config.parse(text.encode(), "command line")
    if checked.profile is Profile.SIM and checked.venue_sim.tape:
        readable(Path(checked.venue_sim.tape))
    return Effective(settings=checked, text=text)


def readable(path: Path) -> Path:
    """Return the absolute path of a tape; ConfigFault when it cannot be read."""
    absolute = path.expanduser().resolve()
    try:
        if absolute.is_dir():
            next(absolute.iterdir())
        else:
            with absolute.open("rb") as tape:
                if not tape.read(1):
                    raise ConfigFault(f"tape {path}: is empty")
    except StopIteration as error:
        raise ConfigFault(f"tape {path}: is an empty directory") from error
    except OSError as error:
        raise ConfigFault(f"tape {path}: cannot be read ({error.strerror}); give an existing file to --tape") from error
    return absolute


def _sim_only(overrides: Overrides) -> str:
    given = {"--tape": overrides.tape, "--venue-port": overrides.venue_port, "--seed": overrides.seed}
    return next((option for option, value in given.items() if value is not None), "")


def _choose_assets(document: Document, assets: tuple[str, ...], path: Path) -> None:
    if not assets:
        return
    known = document["coins"]
    for asset in assets:
        if asset not in known:
            raise ConfigFault(f"unknown asset {asset}: {path} has {', '.join(sorted(known))}")
    document["coins"] = {coin: known[coin] for coin in known if coin in assets}
    led = document.get("leader", {}).get("symbols", {})
    for coin in [coin for coin in led if coin not in assets]:
        del led[coin]
    if "leader" in document and not led:
        del document["leader"]


def _set(document: Document, section: str, key: str, value: int | str | None) -> None:
    if value is not None:
        document.setdefault(section, {})[key] = value


def changed(document: Document, change: str) -> Document:
    """Return the document with one key set, said as "section.key=value" with a TOML value (a bare word is a string).

    ConfigFault names what is wrong with the change; whether such a key exists is for config.parse to say.
    """
    name, sign, text = change.partition("=")
    keys = [key.strip() for key in name.split(".")]
    if not sign or not all(keys) or len(keys) < 2:
        raise ConfigFault(f'{change!r}: is no change of a setting; write "section.key=value"')
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    result = {**document}
    inner = result
    for key in keys[:-1]:
        part = inner.get(key, {})
        if not isinstance(part, dict):
            raise ConfigFault(f"{change!r}: {key} is no section")
        inner[key] = {**part}
        inner = inner[key]
    inner[keys[-1]] = value
    return result


# --- TOML out ------------------------------------------------------------------------------------


def toml_text(document: Mapping[str, Any]) -> str:
    """Write what tomllib reads; for the value types that a configuration has."""
    return "\n".join(_table(document, ())) + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    scalars = {name: value for name, value in table.items() if not isinstance(value, dict)}
    lines = [f"\n[{'.'.join(map(_key, path))}]"] if path and (scalars or not table) else []
    lines += [f"{_key(name)} = {_value(value)}" for name, value in scalars.items()]
    for name, value in table.items():
        if isinstance(value, dict):
            lines += _table(value, (*path, name))
    return lines


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else _value(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            raise ConfigFault(f"{value!r}: a configuration has no values of this kind")
