#!/usr/bin/env python3
"""Print figures of the structure of a checkout: structure.py [PATH]. Nothing has to be installed.

Imports are read from the source, those inside functions too; those under `if TYPE_CHECKING` run
never and do not count. A room is a directory with modules; each module at the top is one by itself.
A floor is a room, or a circle of them, in the longest chain of rooms that import one another. A
circle is a set of modules or rooms each of which leads to each other one.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

LONG = 60  # lines of a function, its docstring among them
Graph = dict[str, set[str]]
Statement = ast.Import | ast.ImportFrom
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def modules(root: Path) -> dict[str, Path]:
    """The modules of all packages of a checkout by dotted name, but for its tests."""
    found = {}
    for package in sorted(p.parent for p in root.glob("*/__init__.py")):
        for path in sorted(package.rglob("*.py")) if package.name != "tests" else ():
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(node: ast.AST, inside: bool = False) -> Iterator[tuple[Statement, bool]]:
    """The import statements that may run, each with whether it is inside a function."""
    if isinstance(node, Statement):
        yield node, inside
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        children = list(node.orelse)
    for child in children:
        yield from imports(child, inside or isinstance(node, FUNCTION))


def targets(node: Statement, name: str, path: Path) -> Iterator[str]:
    """What a statement of a module may import: `from a import b` the module a.b, or b of a."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
        return
    base = node.module or ""
    if node.level:
        up = name.split(".")
        up = up[: len(up) - node.level + (path.name == "__init__.py")]
        base = ".".join([*up, *([node.module] if node.module else [])])
    for alias in node.names:
        yield f"{base}.{alias.name}"


def module_of(target: str, known: dict[str, Path]) -> str | None:
    """The module that a dotted name is, or is in."""
    while target not in known and target:
        target = target.rpartition(".")[0]
    return target or None


def room_of(name: str, path: Path) -> str:
    """The room of a module: its directory, or the module itself at the top."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return package if "." in package else name


def reached(graph: Graph) -> Graph:
    """All that each node leads to, by one import or more."""
    result: Graph = {}
    for start in graph:
        seen: set[str] = set()
        left = list(graph[start])
        while left:
            node = left.pop()
            if node not in seen:
                seen.add(node)
                left.extend(graph[node])
        result[start] = seen
    return result


def circles(graph: Graph) -> list[list[str]]:
    """The circles of more than one node."""
    leads = reached(graph)
    groups = {tuple(sorted({a} | {b for b in leads[a] if a in leads[b]})) for a in graph}
    return sorted(list(group) for group in groups if len(group) > 1)


def floors(graph: Graph) -> int:
    """The length of the longest chain, a circle counted as one."""
    one = {node: circle[0] for circle in circles(graph) for node in circle}
    condensed: Graph = {one.get(node, node): set() for node in graph}
    for node, others in graph.items():
        a = one.get(node, node)
        condensed[a] |= {one.get(other, other) for other in others} - {a}
    below, height = reached(condensed), dict[str, int]()
    for node in sorted(condensed, key=lambda node: len(below[node])):
        height[node] = 1 + max((height[other] for other in condensed[node]), default=0)
    return max(height.values(), default=0)


def figures(root: Path) -> tuple[dict[str, int], list[list[str]], list[list[str]]]:
    """The figures by what they count, and the circles of modules and of rooms."""
    known = modules(root)
    rooms = {name: room_of(name, path) for name, path in known.items()}
    graph: Graph = {name: set() for name in known}
    storeys: Graph = {room: set() for room in rooms.values()}
    lines = long = inner = 0
    for name, path in known.items():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        lines += len(text.splitlines())
        nodes = [node for node in ast.walk(tree) if isinstance(node, FUNCTION)]
        long += sum((node.end_lineno or 0) - node.lineno >= LONG for node in nodes)
        for node, inside in imports(tree):
            inner += inside
            found = {module_of(target, known) for target in targets(node, name, path)}
            graph[name] |= {other for other in found if other} - {name}
        storeys[rooms[name]] |= {rooms[other] for other in graph[name]} - {rooms[name]}
    of_modules, of_rooms = circles(graph), circles(storeys)
    counted = {
        "modules": len(known),
        "lines": lines,
        "rooms": len(storeys),
        "floors": floors(storeys),
        "circles of modules": len(of_modules),
        "circles of rooms": len(of_rooms),
        f"functions over {LONG} lines": long,
        "imports inside functions": inner,
    }
    return counted, of_modules, of_rooms


if __name__ == "__main__":
    root = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).resolve().parent.parent
    counted, *found = figures(root)
    for what, count in counted.items():
        print(f"{what:28} {count:6}")
    for what, some in zip(("modules", "rooms"), found, strict=True):
        for circle in some:
            print(f"circle of {len(circle)} {what}: {', '.join(circle)}")
