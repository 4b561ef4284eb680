"""What every part of the settings is made of."""

from pydantic import BaseModel, ConfigDict


class Checked(BaseModel):
    """A frozen part of the settings that knows all its keys; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
