"""Markdown tables of a benchmark's results."""

Cell = str | int | float


def number(value: Cell) -> str:
    """Format with three significant digits, whole numbers in full: 0.00123, 1.23, 123, 12345."""
    if isinstance(value, (str, int)):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def rows(header: list[str], cells: list[list[Cell]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *([number(cell) for cell in row] for row in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def tables(numbers: dict, level: str = "###") -> str:
    """A headed table of each entry: {name: number}, {name: {column: number}} or [{column: number}, ...].

    Single values become a line each; ``machine`` is omitted.

    Raises:
        TypeError: for an entry of another form.
    """
    text = []
    for title, entry in numbers.items():
        if title == "machine":
            continue
        if isinstance(entry, (str, int, float)):
            text.append(f"{title}: {number(entry)}\n")
        elif entry:
            text.append(f"{level} {title}\n\n{_table(title, entry)}")
    return "\n".join(text)


def _table(title: str, entry: dict | list) -> str:
    if isinstance(entry, dict) and not any(isinstance(value, (dict, list)) for value in entry.values()):
        return rows(["", title], [[name, value] for name, value in entry.items()])
    if isinstance(entry, dict) and all(isinstance(value, dict) for value in entry.values()):
        entry = [{"": name, **value} for name, value in entry.items()]
    if not isinstance(entry, list) or not all(map(_is_row, entry)):
        raise TypeError(f"{title!r} is not a table: {entry!r:.200}")
    columns = list(dict.fromkeys(column for row in entry for column in row))
    return rows(columns, [[row.get(column, "") for column in columns] for row in entry])


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and all(isinstance(cell, Cell) for cell in row.values())
