"""What every part of the settings is made of."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, PrivateAttr


class Checked(BaseModel):
    """A frozen part of the settings that knows all its keys; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _references: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @property
    def references(self) -> Mapping[str, str]:
        """Return the keys that the file gives by reference, or as secrets, and what stands there: never the secret.

        All processes are told the same of them, whether they have a use for what a reference leads to or not.
        """
        return self._references

    def note_references(self, references: Mapping[str, str]) -> None:
        """Note what `references` gives from then on; done once, by whoever reads the file."""
        self._references = dict(references)
