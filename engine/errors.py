"""The one error tree: every failure a user can meet, with its code, what to do, and its mappings.

`status` is the HTTP status of the problem document, `exit_code` that of the command (CONTRACT
section 1). Both are read from here and nowhere else.
"""

from __future__ import annotations

import math
from typing import ClassVar


class HmiError(Exception):
    """A failure with a stable `code`, a `detail` that says what is wrong and a `remedy`."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "Internal error"
    default_code: ClassVar[str] = "internal"

    def __init__(self, detail: str, *, remedy: str = "", code: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy
        self.code = code or self.default_code

    def __str__(self) -> str:
        return f"{self.detail} {self.remedy}".strip()


class BadInput(HmiError):
    """The request cannot be understood or carried out as given; `line` is that of a text sent."""

    status = 422
    title = "Bad input"
    default_code = "bad_input"

    def __init__(
        self, detail: str, *, remedy: str = "", code: str = "", line: int | None = None
    ) -> None:
        super().__init__(detail, remedy=remedy, code=code)
        self.line = line


class BadJson(HmiError):
    """The body is not JSON at all."""

    status = 400
    title = "Bad request"
    default_code = "bad_json"


class MethodNotAllowed(HmiError):
    status = 405
    title = "Method not allowed"
    default_code = "method_not_allowed"


class NotFound(HmiError):
    status = 404
    exit_code = 4
    title = "Not found"
    default_code = "not_found"


class Conflict(HmiError):
    """The thing exists already, or is in use."""

    status = 409
    title = "Conflict"
    default_code = "conflict"


class TooLarge(HmiError):
    status = 413
    title = "Too large"
    default_code = "too_large"


class HeadTooLarge(HmiError):
    """The request's first line and headers."""

    status = 431
    title = "Head too large"
    default_code = "head_too_large"


class Refused(HmiError):
    """Not allowed: key or quota."""

    status = 403
    exit_code = 5
    title = "Refused"
    default_code = "refused"


class Unauthorized(HmiError):
    """No key, or none that opens anything; which of the two is not said."""

    status = 401
    exit_code = 5
    title = "Unauthorized"
    default_code = "unauthorized"

    def __init__(self, detail: str = "", *, remedy: str = "", code: str = "") -> None:
        super().__init__(
            detail or "The call needs an API key, and brought none that is valid.",
            remedy=remedy or "Send Authorization: Bearer KEY; hmi tenant key NAME --new makes one.",
            code=code,
        )


class QuotaReached(Refused):
    """The tenant has as much as its quota allows; `code` names the limit, such as quota_vplms.

    Waiting does not help, so there is no time after which to try again.
    """

    status = 429
    title = "Quota reached"
    default_code = "quota_reached"


class QueueFull(HmiError):
    """The engine has as much work as it may hold; `retry_after` is in seconds."""

    status = 429
    title = "Queue full"
    default_code = "queue_full"

    def __init__(
        self, detail: str, *, retry_after: float = 1.0, remedy: str = "", code: str = ""
    ) -> None:
        seconds = max(1, math.ceil(retry_after))
        super().__init__(detail, remedy=remedy or f"Try again in {seconds} s.", code=code)
        self.retry_after = retry_after


class SloUnattainable(QueueFull):
    """The answer would come later than --slo-ms allows, so it is not begun."""

    title = "SLO unattainable"
    default_code = "slo_unattainable"


class QuotaExceeded(QueueFull):
    """The tenant asks for more than its quota; `code` is quota_rps or quota_concurrency."""

    exit_code = 5
    title = "Quota exceeded"
    default_code = "quota_exceeded"


class Unavailable(HmiError):
    """The engine runs but cannot do this now: starting, stopping, or a part is damaged."""

    status = 503
    title = "Unavailable"
    default_code = "unavailable"


class NotLoaded(Unavailable):
    """A backbone is not in memory, and will be or may be; `retry_after` is in seconds."""

    title = "Not loaded"
    default_code = "backbone_loading"

    def __init__(
        self, detail: str, *, retry_after: float = 1.0, remedy: str = "", code: str = ""
    ) -> None:
        super().__init__(detail, remedy=remedy, code=code)
        self.retry_after = retry_after


class Damaged(HmiError):
    """A file does not hold what it should: wrong checksum, wrong shape, cut short."""

    status = 500
    title = "Damaged"
    default_code = "damaged"


class NoSpace(HmiError):
    status = 507
    title = "No space left"
    default_code = "no_space"


class Cancelled(HmiError):
    """Work was given up on request; not a failure of the engine."""

    status = 409
    title = "Cancelled"
    default_code = "cancelled"


class EngineNotRunning(HmiError):
    """Nobody answers on the socket (raised by the client)."""

    status = 503
    exit_code = 3
    title = "Engine not running"
    default_code = "engine_not_running"


class SocketBusy(HmiError):
    """Another engine holds the socket (raised at start)."""

    status = 409
    title = "Socket busy"
    default_code = "socket_busy"


def from_problem(status: int, problem: dict[str, object]) -> HmiError:
    """The error that an application/problem+json document of the engine stands for."""
    detail = str(problem.get("detail") or problem.get("title") or f"HTTP {status}")
    remedy = str(problem.get("remedy") or "")
    code = str(problem.get("code") or "")
    if status == QueueFull.status:
        retry = problem.get("retry_after")
        if code.startswith("quota_") and retry is None:
            return QuotaReached(detail, remedy=remedy, code=code)
        wait = float(retry) if isinstance(retry, int | float) else 1.0
        limit: type[QueueFull] = QueueFull
        if code.startswith("quota_"):
            limit = QuotaExceeded
        elif code == SloUnattainable.default_code:
            limit = SloUnattainable
        return limit(detail, retry_after=wait, remedy=remedy, code=code)
    later = problem.get("retry_after")
    if status == NotLoaded.status and isinstance(later, int | float):
        return NotLoaded(detail, retry_after=float(later), remedy=remedy, code=code)
    by_code = {kind.default_code: kind for kind in HmiError.__subclasses__()}
    by_status = {kind.status: kind for kind in reversed(HmiError.__subclasses__())}
    kind = by_code.get(code) or by_status.get(status, HmiError)
    error = kind(detail, remedy=remedy, code=code)
    line = problem.get("line")
    if isinstance(error, BadInput) and isinstance(line, int):
        error.line = line
    return error
