"""Model files: named tensors in safetensors, with the model's configuration in the header.

Reading checks that a file is complete and has the right format; writing goes to a temporary name
first.  Neither runs code from a file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from moldiff.errors import ModelFileError, MoldiffError
from moldiff.text import share

__all__ = ["read_metadata", "read_tensors", "replace_copy", "weights_digest", "write_tensors"]


def weights_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of named tensors."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        sha.update(name.encode())
        flat = tensors[name].detach().cpu().flatten()
        sha.update(flat.view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()[:12]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write a safetensors file under a temporary name and rename it over ``path``.

    Raises
    ------
    MoldiffError
        If it cannot be written.
    """
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    with _renamed(Path(path)) as part:
        save_file(plain, part, dict(header))


def replace_copy(source: Path, path: Path) -> None:
    """Copy a file under a temporary name and rename the copy over ``path``.

    Raises
    ------
    MoldiffError
        If it cannot be written.
    """
    with _renamed(path) as part:
        shutil.copyfile(source, part)


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside ``path``, which replaces it in the end."""
    # A fixed name: the next write overwrites what a killed process leaves behind.
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb+") as file:  # the rename must not overtake the data
            os.fsync(file.fileno())
        share(part)
        os.replace(part, path)
    except (SafetensorError, OSError) as error:
        raise MoldiffError(
            f"Cannot write '{path}': {error}.", fix="Check the free space and the permissions."
        ) from error
    finally:
        part.unlink(missing_ok=True)  # already renamed on success


def read_metadata(path: Path, *expected: str) -> dict[str, str]:
    """Return the header of a file whose header names one of the ``expected`` formats.

    The tensors are not read, but that all of them are there is checked.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, corrupt or of another format.
    """
    with _opened(path, expected) as (header, _):
        return header


def read_tensors(path: Path, *expected: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return header and tensors of a file whose header names one of the ``expected`` formats.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, corrupt or of another format.
    """
    with _opened(path, expected) as (header, file):
        # Copies: the file is mapped only while it is open, and may be replaced later.
        return header, {k: file.get_tensor(k).clone() for k in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path, expected: Sequence[str]) -> Iterator[tuple[dict[str, str], Any]]:
    """Give the header and the opened file; errors, also those of reading it, as `read_tensors`."""
    if not Path(path).is_file():
        raise ModelFileError(
            f"There is no model file '{path}'.",
            fix="Check the path, or name a bundled model (see 'moldiff info').",
        )
    try:
        # Opening refuses a file that is shorter or longer than its header says.
        with safe_open(str(path), framework="pt") as file:
            header: dict[str, str] = dict(file.metadata() or {})
            if header.get("format") not in expected:
                raise ModelFileError(
                    f"The file '{path}' has the format '{header.get('format')}', "
                    f"not '{expected[0]}'.",
                    fix="Name a file written by this version of moldiff.",
                )
            yield header, file
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(
            f"The file '{path}' is not a readable safetensors file ({error}).",
            fix="It may be truncated or corrupt: copy or download it again.",
        ) from error
