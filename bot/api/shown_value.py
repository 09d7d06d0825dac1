"""What every answer is made of."""

import pydantic


class Shown(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
