"""Rate limits: every route belongs to a budget, and every answer says how much of it is left.

A view names its budget with ``auth_limit``, ``unlimited`` or ``user_limit``; a view that names
none has the default budget of its user. The contracts' tables are in ``config``.
"""

import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from flask import Flask, Response, g, request
from flask_limiter import HeaderNames, Limiter
from flask_limiter import RateLimitExceeded as LimitBreached

from config import Config
from softfactory.errors import NotAuthenticated, RateLimitExceeded
from softfactory.http.addresses import network_of
from softfactory.http.errors import render
from softfactory.http.identity import is_public

P = ParamSpec("P")
R = TypeVar("R")

AUTH = "auth"
DEFAULT = "default"
UNLIMITED = "unlimited"

REDIS_TIMEOUT = 1
"""Seconds that a request waits for Redis before this worker counts for itself."""

_DISCARDED = "X-RateLimit-Retry-After"
"""Where the extension puts the Retry-After that it gives every answer, to be taken out again."""


def user_limit(budget: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Count the view's requests against ``budget`` (``config.ratelimit_<budget>``)."""

    def mark(view: Callable[P, R]) -> Callable[P, R]:
        view.rate_budget = budget  # type: ignore[attr-defined]  # functions take attributes
        return view

    return mark


auth_limit: Callable[[Callable[P, R]], Callable[P, R]] = user_limit(AUTH)
"""Count the view against the one budget that an address has for all that takes a password or code."""

unlimited: Callable[[Callable[P, R]], Callable[P, R]] = user_limit(UNLIMITED)
"""Leave the view out: health, documents, and URLs that carry their own signature."""


def budget_of(view: Callable[..., Any]) -> str:
    """Return the name of the budget that the view's requests are counted against."""
    budget: str = getattr(view, "rate_budget", UNLIMITED if is_public(view) else DEFAULT)
    return budget


def register_limits(app: Flask, config: Config) -> None:
    """Give every view of ``app`` its budget. Call it when all routes are there.

    With Redis the budgets hold for all workers of all machines; without, for this one process.
    While Redis cannot be reached, each worker counts for itself.
    """

    # Registered before the extension's own, because Flask runs these from the last to the first.
    @app.after_request
    def retry_after_only_when_refused(response: Response) -> Response:
        response.headers.pop(_DISCARDED, None)
        return response

    limiter = Limiter(
        key_func=_caller,
        app=app,
        storage_uri=config.redis_url or "memory://",
        storage_options=_redis_options() if config.redis_url else {},
        strategy="fixed-window",
        headers_enabled=True,
        header_name_mapping={
            HeaderNames.LIMIT: "X-RateLimit-Limit",
            HeaderNames.REMAINING: "X-RateLimit-Remaining",
            HeaderNames.RESET: "X-RateLimit-Reset",
            HeaderNames.RETRY_AFTER: _DISCARDED,
        },
        in_memory_fallback_enabled=True,
        key_prefix="softfactory",
        enabled=config.ratelimit_enabled,
    )
    # The wrapped views refer to it weakly.
    app.extensions["softfactory.limiter"] = limiter
    refusals: dict[str, Callable[[NotAuthenticated], Response]] = {}
    for endpoint, view in app.view_functions.items():
        budget = budget_of(view)
        if budget != UNLIMITED:
            rate: str = getattr(config, f"ratelimit_{budget}")
            whose = _address if budget == AUTH else _caller
            limit = limiter.shared_limit(rate, scope=budget, key_func=whose)
            refusals[endpoint] = limit(_refusal(endpoint))
            app.view_functions[endpoint] = limit(view)  # type: ignore[assignment]  # ParamSpec

    @app.errorhandler(LimitBreached)
    def refuse(_breach: LimitBreached) -> Response:
        limit = limiter.current_limit
        seconds = max(1, limit.reset_at - int(time.time()) - 1) if limit else 1
        message = f"Rate limit exceeded. Try again in {seconds} seconds."
        response = render(RateLimitExceeded(message))
        response.headers["Retry-After"] = str(seconds)
        return response

    @app.errorhandler(NotAuthenticated)
    def refuse_unknown(error: NotAuthenticated) -> Response:
        # Who is calling is asked before the view, and so before its budget: whoever can't say is
        # counted here, by address.
        is_counted = limiter.current_limit is not None
        answer = render if is_counted else refusals.get(request.endpoint or "", render)
        try:
            return answer(error)
        except LimitBreached as breach:
            return refuse(breach)


def _refusal(endpoint: str) -> Callable[[NotAuthenticated], Response]:
    """Return a stand-in for a view that nobody got to; the extension knows limits by name."""

    def answer(error: NotAuthenticated) -> Response:
        return render(error)

    answer.__name__ = f"refusal of {endpoint}"
    return answer


def _redis_options() -> dict[str, str | int]:
    return {"socket_connect_timeout": REDIS_TIMEOUT, "socket_timeout": REDIS_TIMEOUT}


def _caller() -> str:
    """Return who the budget belongs to: the user where there is one, else the address.

    Those without a token share an account, but not its budget.
    """
    user: Any = g.get("current_user")
    if user is None or g.get("is_anonymous", False):
        return _address()
    return f"user:{user.id}"


def _address() -> str:
    """Return whose budget it is by the address alone, also where a user is known."""
    return f"address:{network_of(request.remote_addr)}"
