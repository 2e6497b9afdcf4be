"""An answer that waits for its client without a thread (gunicorn's ``ThreadWorker.handle_request``)."""

from collections.abc import Callable, Generator
from contextvars import copy_context
from datetime import datetime
from typing import Any

from gunicorn.http import wsgi  # type: ignore[import-untyped]

from softfactory.http.server.signals import CLAIM


class Answer:
    """One answer on its way; each call of ``go_on`` may be another thread's."""

    def __init__(self, steps: Generator[None, None, bool]) -> None:
        """Take what sends the answer, and yields where the client has to be waited for."""
        self._steps, self._context = steps, copy_context()

    def go_on(self) -> bool | None:
        """Send as much as the client takes.

        Returns:
            None while more is to be sent, and then whether the connection may stay.

        Raises:
            OSError: the client is gone.
            MustWait: the request has to begin again.
        """
        try:
            self._context.run(next, self._steps)
        except StopIteration as end:
            return bool(end.value)
        return None

    def give_up(self) -> None:
        """Close what the answer is made of."""
        self._context.run(self._steps.close)


def answering(
    worker: Any,  # noqa: ANN401  # as all of these gunicorn's, or what extends it
    request: Any,  # noqa: ANN401
    connection: Any,  # noqa: ANN401
    claim: Callable[[str], None],
) -> Generator[None, None, bool]:
    """Answer ``request``; return whether the connection may stay.

    Args:
        claim: counts the request against a holder (``CLAIM``).
    """
    cfg, sock, environ, response = worker.cfg, connection.sock, {}, None
    cfg.pre_request(worker, request)
    began = datetime.now()  # noqa: DTZ005  # gunicorn's access log takes the difference
    try:
        response, environ = wsgi.create(request, sock, connection.client, connection.server, cfg)
        environ["wsgi.multithread"] = True
        environ[CLAIM] = claim
        worker.count_request()
        if not worker.alive or not cfg.keepalive:
            response.force_close()
        body = worker.wsgi(environ, response.start_response)
        try:
            if isinstance(body, environ["wsgi.file_wrapper"]) and response.sendfile(body):
                yield from _sent(worker, sock)
            else:
                for piece in body:
                    response.write(piece)
                    if sock.has_rest:
                        yield from _sent(worker, sock)
            response.close()
            sock.flush()
            if sock.has_rest:
                yield from _sent(worker, sock)
        finally:
            worker.log.access(response, request, environ, datetime.now() - began)  # noqa: DTZ005
            if hasattr(body, "close"):
                body.close()
    except OSError:
        raise
    except Exception:
        if response is None or not response.headers_sent:
            raise
        # Its head is gone, so that only the end of the connection can say that something is wrong.
        worker.log.exception("Error handling request")
        return False
    finally:
        cfg.post_request(worker, request, environ, response)
    return not response.should_close()


def _sent(worker: Any, sock: Any) -> Generator[None, None, None]:  # noqa: ANN401  # as above
    """Yield until the client has taken all, or its kernel has."""
    while sock.has_rest:
        if sock.is_stalled or worker.is_short:
            yield
        sock.send_rest()
