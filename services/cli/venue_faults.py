"""Asks a running local venue for faults, by the socket that it opens with --faults."""

import json
import socket
from pathlib import Path
from typing import Any, Final

from common import endpoints
from common.errors import ConfigFault, PeerFault
from common.home import Home

ANSWER_S_MAX: Final = 5.0


class FaultLink:
    """One venue's socket; PeerFault when the venue does not understand, ConfigFault when there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of_home(cls, home: Home) -> "FaultLink":
        path = endpoints.read(home).get(endpoints.FAULTS)
        if path is None:
            raise ConfigFault(
                f"{home.endpoints}: names no socket for faults; "
                f"start one with `mm venue serve --faults --home {home.path}`"
            )
        return cls(Path(path))

    def fault(self, name: str, /, **parameters: object) -> int:
        """Arm a fault, or have a deed done; return its number, 0 for a deed."""
        return int(self._ask({"do": "arm", "fault": name, "parameters": parameters})["number"])

    def clear(self, number: int | None = None) -> int:
        """Disarm one fault, or all; return how many."""
        return int(self._ask({"do": "clear", "number": number})["cleared"])

    def armed(self) -> list[dict[str, Any]]:
        """List what is armed and how often it struck."""
        return list(self._ask({"do": "list"})["armed"])

    def _ask(self, wish: dict[str, object]) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(ANSWER_S_MAX)
                link.connect(str(self._path))
                link.sendall(json.dumps(wish).encode() + b"\n")
                with link.makefile("rb") as file:
                    answer: dict[str, Any] = json.loads(file.readline())
        except OSError as error:
            raise ConfigFault(
                f"{self._path}: no venue listens there ({error.strerror or error}); start one with "
                "`mm venue serve --faults`, and name its --home or --venue-port"
            ) from error
        except json.JSONDecodeError as error:
            raise PeerFault(f"{self._path}: the venue gave no answer") from error
        if "error" in answer:
            raise PeerFault(str(answer["error"]))
        return answer
