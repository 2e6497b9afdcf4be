"""What the tests of the HTTP layer share: the one body of every failure."""

from typing import Any

ONE_BODY = {"error", "detail", "code"}


def refusal(response: Any) -> tuple[int, str]:
    """Return status and code of a failure, once it is certain that it has the one body."""
    assert response.mimetype == "application/json", (response.status, response.data[:200])
    body = response.get_json()
    assert ONE_BODY <= set(body) <= ONE_BODY | {"errors", "success"}, body
    assert body["error"] == body["detail"]
    assert body["error"][-1] in ".?!", "a message is a sentence"
    is_simple = response.request.path.startswith("/s3")
    assert ("success" in body) == is_simple
    assert body.get("success", False) is False
    assert all(
        isinstance(messages, list) and all(isinstance(message, str) for message in messages)
        for messages in body.get("errors", {}).values()
    )
    assert not [word for word in ("Traceback", "/site-packages", "<html", "sqlite3", "psycopg")
                if word in response.text]  # fmt: skip
    return response.status_code, body["code"]
