"""What a part of the user's own raises is told as its error, with class, file and line."""

from __future__ import annotations

import errno
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import moldiff
from moldiff.cli.failure import guarded
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance import Guidance
from moldiff.diffusion.sampler import Ancestral, Stepper
from moldiff.diffusion.time import Time
from moldiff.errors import ConfigError, PartError
from moldiff.generation.verify import verify
from moldiff.registry import register
from moldiff.verbs import part_error

pytestmark = pytest.mark.usefixtures("registry_kept")


@dataclass(frozen=True)
class Mine(Stepper):
    """A stepper that fails in one of these ways."""

    how: str = "raises"

    def step(self, denoiser: Any, state: Any, s: Any, *, rng: Any) -> Any:
        if self.how == "raises":
            return self._divided(0)  # line: raises
        if self.how == "hands over":
            return Ancestral().step(denoiser, None, s, rng=rng)  # type: ignore[arg-type]  # line: hands over
        if self.how == "library":
            return [int(text) for text in ["three"]]  # line: library
        if self.how == "says it":
            raise ConfigError("This churn is too large.", fix="Take less.")
        if self.how == "full disk":
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.how == "memory":
            raise MemoryError
        return None

    def _divided(self, number: int) -> float:
        return 1 / number  # line: divided


def line_of(mark: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return 1 + next(k for k, line in enumerate(lines) if line.endswith(f"# line: {mark}"))


def made(**options: Any) -> Any:
    return moldiff.generate(1, model="qm9-fast", steps=2, **options)


@pytest.mark.parametrize(
    ("how", "mark", "cause", "told"),
    [
        ("raises", "divided", ZeroDivisionError, "failed: ZeroDivisionError: division by zero."),
        ("library", "library", ValueError, "failed: ValueError: invalid literal"),
        (
            "hands over",
            "hands over",
            AttributeError,
            "failed in moldiff.diffusion.sampler.steppers, line ",
        ),
    ],
)
def test_a_sampler_that_raises_is_named_with_its_line(
    how: str, mark: str, cause: type, told: str
) -> None:
    with pytest.raises(PartError) as caught:
        made(sampler=Mine(how))
    where = f"The Stepper of your own (class Mine, {__file__}, line {line_of(mark)}) {told}"
    assert str(caught.value).startswith(where)
    assert isinstance(caught.value.__cause__, cause)
    assert caught.value.__cause__.__traceback__ is not None


def test_what_it_returns_is_asked_about() -> None:
    with pytest.raises(PartError, match="may have returned what does not fit") as caught:
        made(sampler=Mine("nothing"))
    assert f"class Mine, {__file__})" in str(caught.value)
    assert isinstance(caught.value.__cause__, TypeError)


def test_what_a_part_says_itself_stays() -> None:
    with pytest.raises(ConfigError, match="too large"):
        made(sampler=Mine("says it"))


def test_a_guidance_is_told_by_its_name() -> None:
    @register("guidance", "mine", context=("denoiser",))
    @dataclass(frozen=True, eq=False)
    class Compact(Guidance):
        denoiser: Denoiser

        def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
            return {}["positions"]  # type: ignore[index, no-any-return]

    with pytest.raises(
        PartError, match=r"The guidance 'mine' .class .*Compact.*KeyError"
    ) as caught:
        made(guidance=[{"name": "mine"}])
    assert isinstance(caught.value.__cause__, KeyError)


def test_errors_of_a_callback_and_of_moldiff_stay_as_they_are() -> None:
    class Enough(Exception):
        pass

    def stop(_: float) -> None:
        raise Enough

    with pytest.raises(Enough):
        made(progress=stop)
    with pytest.raises(ZeroDivisionError):
        made(sampler=Ancestral(), progress=lambda _: 1 / 0)
    assert part_error(ValueError("never raised")) is None


STEPPER = """
from moldiff.diffusion.sampler import Stepper
from moldiff.registry import register


@register("stepper", "{name}")
class Mine(Stepper):
    def step(self, denoiser, state, s, *, rng):
        {line}
"""


def written(folder: Path, line: str, name: str = "mine") -> Path:
    path = folder / "my.py"
    path.write_text(STEPPER.format(line=line, name=name))
    return path


def test_the_command_line_says_whose_error_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from moldiff.cli import main

    path = written(tmp_path, "return 1 / 0")
    line = ["generate", "-n", "1", "--steps", "2", "--model", "qm9-fast", "--import", str(path)]
    line += ["--sampler", "mine", "-o", str(tmp_path / "out.sdf")]
    assert main(line) == 1
    told = " ".join(capfd.readouterr().err.split())
    assert f"The stepper 'mine' (class Mine, {path}, line 9) failed: ZeroDivisionError" in told
    assert "Its traceback: --debug." in told
    assert "Unexpected" not in told and "report" not in told
    assert main(["--debug", *line]) == 1
    assert "return 1 / 0" in capfd.readouterr().err


def test_verifying_says_it_too(tmp_path: Path) -> None:
    from moldiff.plugins import import_source

    good = "from moldiff.diffusion.sampler import Ancestral; "
    good += "return Ancestral().step(denoiser, state, s, rng=rng)"
    import_source(str(written(tmp_path, good)))
    drawn = made(sampler="mine")
    assert [one.status for one in verify(drawn)] == ["reproduced"]
    for line in ("return 1 / 0", "raise ValueError"):
        import_source(str(written(tmp_path, line)))
        (verdict,) = verify(drawn)
        assert verdict.status == "unknown"
        assert "cannot be drawn: The stepper 'mine' (class Mine, " in verdict.why


def test_without_a_part_the_bug_is_ours(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        inspect.signature(3)  # type: ignore[arg-type]

    assert guarded(fails) == 1
    told = capfd.readouterr().err
    assert "Unexpected TypeError" in told and "report what it prints" in told


@pytest.mark.parametrize(("how", "kind"), [("full disk", OSError), ("memory", MemoryError)])
def test_what_the_machine_lacks_is_no_fault_of_a_part(how: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        made(sampler=Mine(how))
