"""What the engine can be told to do wrong: every fault with its kind, its parameters and where it strikes.

Names are camelCase on the wire. `times` limits how often a fault strikes; without it, it strikes always.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from deploy.local.workflow.executions import Purpose


class BaseFault(BaseModel):
    """What all faults have in common."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    times: int | None = Field(default=None, ge=1)


class AnswerFault(BaseFault):
    """Strikes at the answer to the webhook call; one strikes per call."""


class FileFault(BaseFault):
    """Strikes when the rendered file is fetched; one strikes per GET."""


class Refuse(AnswerFault):
    """Answer with `status` and start nothing."""

    kind: Literal["refuse"]
    status: Literal[403, 404, 429, 500, 503]
    retry_after: int | None = Field(default=None, ge=0)


class StartedError(AnswerFault):
    """Start the run, yet answer with `status`."""

    kind: Literal["started-error"]
    status: int = Field(default=500, ge=400, le=599)


class StartedTimeout(AnswerFault):
    """Start the run and hold the answer back for `seconds`."""

    kind: Literal["started-timeout"]
    seconds: float = Field(default=60, ge=0)


class StartedCut(AnswerFault):
    """Start the run and cut the connection in the middle of the answer."""

    kind: Literal["started-cut"]


class NoExecutionId(AnswerFault):
    """Answer as n8n does when nothing is configured: 200 and no executionId."""

    kind: Literal["no-execution-id"]


class AnswerLast(AnswerFault):
    """Answer the call only after the completion (or error) callback was sent, at most `seconds` later."""

    kind: Literal["answer-last"]
    seconds: float = Field(default=60, ge=0)


class Slow(BaseFault):
    """Take `seconds` longer."""

    kind: Literal["slow"]
    seconds: float = Field(ge=0)


class Fail(BaseFault):
    """Fail half way through with `message`."""

    kind: Literal["fail"]
    message: str = "Rendering failed"


class CallbackTwice(BaseFault):
    """Send the completion (or error) callback twice: one after the other, or both at once."""

    kind: Literal["callback-twice"]
    together: bool = False


class CallbackNever(BaseFault):
    """Do not send callbacks of these purposes; the run itself ends as it would."""

    kind: Literal["callback-never"]
    purposes: list[Purpose] = Field(default=["complete", "error", "progress"])


class CompleteBeforeProgress(BaseFault):
    """Send the completion callback first and every progress report after it."""

    kind: Literal["complete-before-progress"]


class ErrorBeforeComplete(BaseFault):
    """Send an error callback with `message`, then the completion callback all the same."""

    kind: Literal["error-before-complete"]
    message: str = "Failed before completion"


class ErrorAfterComplete(BaseFault):
    """Send an error callback with `message` after the completion callback."""

    kind: Literal["error-after-complete"]
    message: str = "Failed after completion"


class AnotherResult(BaseFault):
    """Send a second completion callback after the first, with another address of the file."""

    kind: Literal["another-result"]


class CallbackAuth(BaseFault):
    """Prove callbacks in another way than with the token in their URL (for the wrong ones: fail to)."""

    kind: Literal["callback-auth"]
    auth: Literal["secret", "signature", "wrong-token", "wrong-secret", "wrong-signature", "none"]


class CannotStop(BaseFault):
    """Answer a stop as an n8n that has no such call: 404."""

    kind: Literal["cannot-stop"]


class FileNotVideo(FileFault):
    """Serve a text page under the video's name."""

    kind: Literal["file-not-video"]


class FileTruncated(FileFault):
    """Announce the full length but never deliver more than `share` of the file."""

    kind: Literal["file-truncated"]
    share: float = Field(default=0.5, gt=0, lt=1)


class FileCut(FileFault):
    """Cut the transfer at `share` of the file; what is asked for from there on is delivered. Strikes once."""

    kind: Literal["file-cut"]
    share: float = Field(default=0.5, gt=0, lt=1)
    times: int | None = Field(default=1, ge=1)


class FileChunked(FileFault):
    """Deliver without Content-Length and without Range support."""

    kind: Literal["file-chunked"]


class FileNoRange(FileFault):
    """Answer a Range request with 200 and the whole file."""

    kind: Literal["file-no-range"]


class FileTooLarge(FileFault):
    """Deliver the file followed by zeros up to `bytes`, announced unless `announced` is false."""

    kind: Literal["file-too-large"]
    bytes: int = Field(default=50 * 1024**3, ge=1)
    announced: bool = True


class FileSlow(FileFault):
    """Deliver no more than `bytesPerSecond`."""

    kind: Literal["file-slow"]
    bytes_per_second: int = Field(default=65_536, ge=1)


class FileError(FileFault):
    """Answer with `status` instead of the file."""

    kind: Literal["file-error"]
    status: int = Field(default=500, ge=400, le=599)


class FileRedirect(FileFault):
    """Redirect: to `to`, or `hops` times to this server, the last of which is the file."""

    kind: Literal["file-redirect"]
    to: str | None = None
    hops: int = Field(default=1, ge=1)


Fault = Annotated[
    Refuse | StartedError | StartedTimeout | StartedCut | NoExecutionId | AnswerLast | Slow | Fail
    | CallbackTwice | CallbackNever | CompleteBeforeProgress | ErrorBeforeComplete | ErrorAfterComplete | AnotherResult
    | CallbackAuth | CannotStop | FileNotVideo | FileTruncated | FileCut | FileChunked | FileNoRange | FileTooLarge
    | FileSlow | FileError | FileRedirect,
    Field(discriminator="kind"),
]  # fmt: skip
