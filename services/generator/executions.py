"""One execution as n8n's public API tells of it. Hostile: what is not of this shape is no answer."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.contracts.wire import UtcTime

# Whatever later versions invent is neither.
OVER = frozenset({"success", "error", "crashed", "canceled"})
UNDER_WAY = frozenset({"new", "running", "waiting"})

_STARTED_BY_A_CALL = frozenset({None, "webhook", "retry"})


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Execution(BaseModel):
    """A run of some workflow: `status` in n8n's words, `data` where it was asked for and may be seen."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    id: Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=128)]
    status: str
    mode: str | None = None
    started_at: UtcTime | None = Field(default=None, alias="startedAt")
    data: dict[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        """Return whether the run has certainly ended."""
        return self.status in OVER

    @property
    def is_under_way(self) -> bool:
        """Return whether the run has certainly not ended."""
        return self.status in UNDER_WAY

    @property
    def waits(self) -> bool:
        """Return whether it goes on by itself later, and does nothing until then."""
        return self.status == "waiting"

    @property
    def failed(self) -> bool:
        """Return whether it ended in another way than to its end."""
        return self.is_over and self.status != "success"

    @property
    def may_be_a_call(self) -> bool:
        """Return whether a call to a webhook may have started it."""
        return self.mode in _STARTED_BY_A_CALL
