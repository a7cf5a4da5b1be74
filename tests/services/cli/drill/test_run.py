"""What a drill consists of, and when it passes; that controls trip is for tests/mesh/test_drill.py."""

import json
import tomllib
from pathlib import Path
from typing import cast

import pytest

from common import config
from common.config import Profile
from common.errors import ConfigFault, PeerFault
from common.home import Home
from services.cli.catalogue import BY_NAME, CONTROLS
from services.cli.configuration import profile_file, toml_text
from services.cli.drill import run, stage
from services.cli.drill.results import Result, stored
from services.cli.drill.run import AS_CONFIGURED, SCENES, Scene, attempt, chosen, play
from services.cli.drill.stage import NotTripped, Stage, local
from tests.services.cli.samples import CONFIG, settings


class Mesh:
    """Stands for a running mesh: the trials of these tests ask it nothing."""

    settled = 0

    def settle(self) -> None:
        self.settled += 1


def trips(_: Stage) -> str:
    return "tripped"


def fails(_: Stage) -> str:
    raise NotTripped("saw nothing")


def breaks(_: Stage) -> str:
    raise PeerFault("risk did not answer")


def test_every_control_has_a_trial() -> None:
    """None is left out, none is drilled twice."""
    names = [name for scene in SCENES for name in scene.trials]
    assert sorted(names) == sorted(control.name for control in CONTROLS)


@pytest.mark.parametrize(
    ("trial", "passed", "evidence"),
    [(trips, True, "tripped"), (fails, False, "saw nothing"), (breaks, False, "risk did not answer")],
)
def test_a_control_passes_only_when_it_trips(trial: run.Trial, evidence: str, *, passed: bool) -> None:
    """A control that does nothing, and a mesh that says nothing, both fail."""
    mesh = Mesh()
    found = attempt("C3", trial, cast("Stage", mesh))
    assert (found.control, found.passed, found.evidence) == ("C3", passed, evidence)
    assert mesh.settled == 1
    attempt("C6", trial, cast("Stage", mesh))
    assert mesh.settled == 1


def test_a_mesh_that_does_not_start_fails_what_it_was_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing passes because it could not be tried."""

    def refuse(_: Stage) -> None:
        raise PeerFault("no port")

    monkeypatch.setattr(stage.Stage, "start", refuse)
    monkeypatch.setattr(stage.Stage, "end", lambda _: None)
    scene = Scene({"C1": trips, "C2": trips}, lambda _: {})
    found = play(scene, settings(), tomllib.loads(CONFIG), {"C1"}, show=False)
    assert found == [Result(control="C1", passed=False, evidence="no port")]
    assert play(scene, settings(), tomllib.loads(CONFIG), {"C3"}, show=False) == []


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_the_end_of_a_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, passed: bool, code: int
) -> None:
    """The exit code says whether all passed, and what happened is kept."""
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)

    def played(scene: Scene, *_: object, show: bool) -> list[Result]:
        return [Result(control=name, passed=passed or name != "C7", evidence=f"shown {show}") for name in scene.trials]

    monkeypatch.setattr(run, "play", played)
    home = Home(tmp_path / "home")
    assert run.drill(home, path, None, as_json=True) == code
    said = json.loads(capsys.readouterr().out)
    assert [result["control"] for result in said["results"]] == list(BY_NAME)
    assert run.drill(home, path, None, as_json=False) == code
    assert f"{28 if passed else 27} of 28" in capsys.readouterr().out
    assert [drill.passed for drill in stored(home)] == [passed, passed]
    assert all(drill.complete for drill in stored(home))


def test_some_controls_are_chosen_by_name() -> None:
    """Names are checked before anything starts."""
    assert chosen("c3, C12") == {"C3", "C12"}
    assert chosen(None) == set(BY_NAME)
    for wrong in ("C29", "C3,price", ""):
        with pytest.raises(ConfigFault, match="--only"):
            chosen(wrong)


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("scene", SCENES, ids=["as configured", "tightened"])
def test_every_profile_can_be_drilled(profile: Profile, scene: Scene) -> None:
    """What is started is a valid configuration of a local venue, with the limits of the profile."""
    path = profile_file(profile)
    wanted = config.load(path)
    document = local(tomllib.loads(path.read_text()), scene.changes(wanted))
    found = config.parse(toml_text(document).encode(), "drill")
    assert found.profile is Profile.SIM
    assert found.venue_sim.faults
    assert found.venue.account == ""
    assert found.coins == wanted.coins
    assert found.liveness == wanted.liveness
    if scene is AS_CONFIGURED:
        assert (found.risk, found.monitors, found.signer) == (wanted.risk, wanted.monitors, wanted.signer)


def test_waiting_ends(tmp_path: Path) -> None:
    """What does not come is named, with the last trouble; what comes is returned."""
    (tmp_path / "home").mkdir()
    one = Stage(tmp_path, local(tomllib.loads(CONFIG), {}))

    def silent() -> bool:
        raise PeerFault("no answer")

    with pytest.raises(NotTripped, match=r"not within 0 s: a sign \(no answer\)"):
        one.until("a sign", silent, 0)
    assert one.until("a sign", lambda: 5, 0) == 5
