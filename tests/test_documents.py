"""The code blocks of README.md and of docs/*.md do what is said about them.

Every fenced ``bash`` or ``python`` block follows an HTML comment that decides about it:

``<!-- ci -->``
    run it;
``<!-- ci: NAME -->``
    run it as part of the story NAME (the default story is called "main");
``<!-- ci: NAME slow -->``
    the whole story is slow: it runs with ``-m slow`` only;
``<!-- ci: NAME 32=6 -->``
    run it with 6 in place of 32: the command is the same, and need not take as long;
``<!-- ci: NAME -n=6 -->``
    run it with 6 in place of whatever follows ``-n``;
``<!-- ci: NAME continued -->``
    run it in the process of the story's block before, after that one;
``<!-- no-ci: REASON -->``
    do not run it, for this reason.

The blocks of a story run in their order in one directory, so that a later block finds the files an
earlier one wrote. At first nothing is in it but what a block takes of the reader's:
`tests.stand_ins` has a file for each name, such as ``1abc.cif``.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import typer

from moldiff.cli import app
from tests.stand_ins import STAND_INS, write_stand_ins

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
WORDS = {"slow", "continued"}
TIMEOUT = {"fast": 240, "slow": 1800}  # seconds for one block

BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>(?:no-)?ci\b[^>]*?) -->\n\s*)?"
    r"^```(?P<language>bash|python)\n(?P<code>.*?)^```$",
    re.M | re.S,
)


@dataclass(frozen=True)
class Block:
    """One code block: the line it starts in, its language and text, and what to do with it."""

    line: int
    language: str
    code: str
    story: str | None  # None: not run
    slow: bool = False
    reason: str = ""  # why it is not run
    continued: bool = False


def blocks(text: str) -> list[Block]:
    """All bash and python blocks of a Markdown text."""
    return [block(text, match) for match in BLOCK.finditer(text)]


def block(text: str, match: re.Match[str]) -> Block:
    """One match of BLOCK as a Block."""
    line = text.count("\n", 0, match.start("code"))
    kind, _, rest = (match["mark"] or "no-ci").partition(":")
    if kind.strip() == "no-ci":
        return Block(line, match["language"], match["code"], story=None, reason=rest.strip())
    words, code = rest.split(), match["code"]
    for change in (word for word in words if "=" in word):
        before, after = change.split("=")
        number = rf"(?<={before} )\S+" if before.startswith("-") else rf"\b{before}\b"
        code, count = re.subn(number, after, code)
        assert count, f"line {line}: '{before}' is not there to be replaced"
    names = [word for word in words if word not in WORDS and "=" not in word] or ["main"]
    slow, continued = "slow" in words, "continued" in words
    return Block(line, match["language"], code, names[0], slow, continued=continued)


def stories(text: str) -> dict[str, list[Block]]:
    """The processes to run, by story, in their order; the lines of blocks that share one stay."""
    told: dict[str, list[Block]] = {}
    for item in blocks(text):
        if item.story is None:
            continue
        story = told.setdefault(item.story, [])
        if item.continued:
            first = story.pop()
            gap = "\n" * (item.line - first.line - first.code.count("\n"))
            item = replace(first, code=first.code + gap + item.code)
        story.append(item)
    return told


def run(item: Block, directory: Path, document: Path = DOCUMENTS[0]) -> None:
    """Run one block; fails with its line in the document and all its output."""
    tools = Path(sys.executable).parent  # `moldiff` of the interpreter that runs the tests
    path = f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    interpreter = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
    done = subprocess.run(
        [*interpreter[item.language], item.code],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT["slow" if item.slow else "fast"],
    )
    assert done.returncode == 0, f"{document.name}:{item.line}\n{item.code}\n{done.stdout}"


def parameters() -> list[object]:
    """One test for each story of a document; slow ones are marked."""
    return [
        pytest.param(
            document,
            story,
            id=f"{document.stem}-{name}",
            marks=[pytest.mark.slow] * any(item.slow for item in story),
        )
        for document in DOCUMENTS
        for name, story in stories(document.read_text(encoding="utf-8")).items()
    ]


@pytest.mark.documents
@pytest.mark.skipif(
    not list(Path(sys.executable).parent.glob("moldiff*")), reason="moldiff is not installed"
)
@pytest.mark.parametrize(("document", "story"), parameters())
def test_blocks_run(document: Path, story: list[Block], tmp_path: Path) -> None:
    write_stand_ins("".join(item.code for item in story), tmp_path)
    for item in story:
        run(item, tmp_path, document)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_block_is_run_or_says_why_not(document: Path) -> None:
    undecided = [
        item.line
        for item in blocks(document.read_text(encoding="utf-8"))
        if item.story is None and not item.reason
    ]
    assert not undecided, f"{document.name}: mark the blocks in lines {undecided}, see {__file__}"


COMMANDS: Any = typer.main.get_command(app)


def lines_of(code: str) -> Iterator[list[str]]:
    """The words behind ``moldiff`` of every command line of a block."""
    for line in code.replace("\\\n", " ").splitlines():
        words = [*shlex.split(line, comments=True), ";"]
        ends = [k for k, word in enumerate(words) if word in {";", "&&", "|"}]
        for start, end in zip([0, *(k + 1 for k in ends)], ends, strict=False):
            if words[start:end][:1] == ["moldiff"]:
                yield words[start + 1 : end]


def understand(words: list[str]) -> None:
    """Read a command line as ``moldiff`` would, and do nothing; its own error if that fails."""
    command, name = COMMANDS, "moldiff"
    while hasattr(command, "commands"):
        context = command.make_context(name, words)
        name, command, words = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
    command.make_context(name, words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_command_lines_are_understood(document: Path) -> None:
    """Those of blocks that are not run, too: commands, options and kinds of values exist."""
    for item in blocks(document.read_text(encoding="utf-8")):
        for words in lines_of(item.code) if item.language == "bash" else ():
            try:
                understand(words)
            except Exception as error:
                pytest.fail(f"{document.name}:{item.line} moldiff {shlex.join(words)}: {error}")


def test_examples_of_help_are_understood() -> None:
    todo, seen = [COMMANDS], 0
    while todo:
        command = todo.pop()
        todo += getattr(command, "commands", {}).values()
        for example in re.findall(r"^ *(moldiff [a-z].*)$", command.epilog or "", re.M):
            for words in lines_of(example):
                understand(words)
                seen += 1
    assert seen > 100


def test_what_is_not_understood_is_found() -> None:
    found = list(lines_of("moldiff data qm9 && moldiff train qm9  # hours\nls | moldiff x \\\n -y"))
    assert found == [["data", "qm9"], ["train", "qm9"], ["x", "-y"]]
    for words in (["generate", "--siz", "9"], ["generat"], ["design", "grow", "--add"]):
        with pytest.raises(Exception, match=r"(?i)no such|requires an argument"):
            understand(words)


EXAMPLE = """\
<!-- ci -->
```bash
echo one > file
```

<!-- ci: other slow -->
```python
print(2)
```
text
<!-- no-ci: needs a day -->

```bash
train
```
```bash
forgotten
```
```
not code
```
<!-- ci -->
```bash
cat file
```
<!-- ci: continued -->
```bash
rm file
```
"""


def test_extraction() -> None:
    found = blocks(EXAMPLE)
    assert [(item.line, item.language, item.story, item.slow) for item in found] == [
        (2, "bash", "main", False),
        (7, "python", "other", True),
        (13, "bash", None, False),
        (16, "bash", None, False),
        (23, "bash", "main", False),
        (27, "bash", "main", False),
    ]
    assert [item.reason for item in found] == ["", "", "needs a day", "", "", ""]
    assert [item.code for item in stories(EXAMPLE)["main"]] == [
        "echo one > file\n",
        "cat file\n\n\n\nrm file\n",
    ]


def test_a_block_can_be_run_with_smaller_numbers() -> None:
    text = EXAMPLE.replace("<!-- ci: other slow -->", "<!-- ci: other 2=31 -->")
    assert stories(text)["other"][0].code == "print(31)\n"
    with pytest.raises(AssertionError, match="line 7: '22' is not there"):
        blocks(text.replace("2=31", "22=31"))


def test_an_option_can_have_a_smaller_number() -> None:
    text = "<!-- ci: other -n=2 -->\n```bash\nmoldiff backbone -n 20 --length 20-80\n```\n"
    assert blocks(text)[0].code == "moldiff backbone -n 2 --length 20-80\n"


def test_a_block_finds_what_it_takes_of_the_reader_s(tmp_path: Path) -> None:
    code = "moldiff complete 1abc.cif --sequence 1abc.fasta -o receptor.pdb; ls x/receptor.cif"
    write_stand_ins(code, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"1abc.cif", "1abc.fasta"}
    told = "".join(
        item.code
        for document in DOCUMENTS
        for story in stories(document.read_text(encoding="utf-8")).values()
        for item in story
    )
    assert not [name for name in STAND_INS if name not in told], "nobody takes these"


def test_a_story_shares_a_directory(tmp_path: Path) -> None:
    for item in stories(EXAMPLE)["main"]:
        run(item, tmp_path)


def test_a_failing_block_is_reported_with_its_line(tmp_path: Path) -> None:
    broken = Block(7, "bash", "echo why; false; true\n", "main")
    with pytest.raises(AssertionError, match=r"README\.md:7[\s\S]*why"):
        run(broken, tmp_path)
