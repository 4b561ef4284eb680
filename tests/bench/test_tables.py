"""Tables are printed whole, however narrow the console."""

import io

from rich.console import Console

from scim_bridge.sandbox.benches import figures


def test_no_cell_is_cut_off() -> None:
    written = io.StringIO()
    cells = [f"{number}.25 / {number}7.75" for number in range(10, 20)]
    console = Console(file=written, width=40)
    figures.print_table("title", ["request", *map(str, range(10))], [["GET by id", *cells]], console=console)
    assert "…" not in written.getvalue()
    assert all(cell in written.getvalue() for cell in cells)
