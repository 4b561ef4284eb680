"""A dispatcher that remembers what it was told."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class RecordingDispatcher:
    """Keeps every wake; a test looks at them, or works the lanes itself."""

    wakes: list[tuple[str, str, bool]] = field(default_factory=list)
    errands: list[tuple[str, int]] = field(default_factory=list)

    def wake(self, tenant: str, target: str, *, urgent: bool) -> None:
        self.wakes.append((tenant, target, urgent))

    def wake_errand(self, tenant: str, number: int) -> None:
        self.errands.append((tenant, number))

    def has_waiting(self) -> bool:
        return False

    def be_heard(self, process: str, name: str, *, now: int) -> None:
        """Nobody asks here who is alive."""

    def heard(self, tenant: str, target: str, *, queue: str) -> None:
        """Nothing is thinned here, so nothing is let through."""
