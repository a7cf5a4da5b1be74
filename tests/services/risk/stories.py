"""What may happen to risk, as steps of a story that a test tells to a scene."""

from collections.abc import Callable, Mapping

from common.messages import (
    ArmRequest,
    HaltDirectory,
    HaltFile,
    HaltNotice,
    ModifyIntent,
    StreamDown,
    StreamFills,
    StreamUp,
)
from tests.services.risk.scene import Scene, ask, bid, fill_of

Step = Callable[[Scene, int], None]


def place(scene: Scene, number: int) -> None:
    scene.send(scene.request(bid(number), ask(number + 10_000)))


def modify(scene: Scene, number: int) -> None:
    old = next(iter(scene.risk._facts.ledger.entries("BTC")), None)
    if old is not None:
        new = bid(number, ticks=599_800) if old.order.side.sign > 0 else ask(number, ticks=600_200)
        scene.send(scene.request(modifies=(ModifyIntent(old_cloid=old.order.cloid, order=new),)))


def show(scene: Scene, number: int) -> None:
    for entry in scene.risk._facts.ledger.entries("BTC")[:2]:
        scene.update(entry.order, entry.oid or number, "open")


def fill(scene: Scene, number: int) -> None:
    shown = [entry for entry in scene.risk._facts.ledger.entries("BTC") if entry.shown]
    for entry in shown[:1]:
        scene.wait(0.25)
        lots = min(100, int(entry.leaves))
        made = fill_of(entry.order, lots, scene.venue_ms, number)
        scene.fills.append(made)
        scene.positions["BTC"] = scene.positions.get("BTC", 0) + entry.order.side.sign * lots
        scene.send(StreamFills(fills=(made,), snapshot=False, received_at=scene.now))


def cancel(scene: Scene, number: int) -> None:
    shown = [entry for entry in scene.risk._facts.ledger.entries("BTC") if entry.shown]
    for entry in shown[:1]:
        scene.update(entry.order, entry.oid or number, "canceled", left=entry.leaves)


def halt(scene: Scene, number: int) -> None:
    file = HaltFile(name=f"x{number}.json", cause="a person")
    scene.directory = HaltDirectory(files=(*scene.directory.files, file))
    scene.send(HaltNotice(request_id=number, by="cli"), scene.directory)


def quiet_halt(scene: Scene, number: int) -> None:
    """A file that only the signer notices so far."""
    scene.directory = HaltDirectory(files=(*scene.directory.files, HaltFile(name=f"q{number}.json", cause="quiet")))


def arm(scene: Scene, number: int) -> None:
    scene.send(scene.directory)
    scene.open.clear()
    names = " ".join(file.name for file in scene.directory.files)
    scene.send(ArmRequest(request_id=number, command=names.encode(), signature=b"good"))


def reconnect(scene: Scene, number: int) -> None:
    scene.send(StreamDown(connection=number, reason="closed"), StreamUp(connection=number + 1))


def pause(scene: Scene, _number: int) -> None:
    scene.wait(1)


def doze(scene: Scene, _number: int) -> None:
    scene.wait(2, alive=False)


STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (place, modify, show, fill, cancel, halt, quiet_halt, arm, reconnect, pause, doze, place, show)
}


def tell(story: list[str], scene: Scene, steps: Mapping[str, Step] = STEPS) -> Scene:
    for number, name in enumerate(story, start=1):
        steps[name](scene, number)
    return scene
