"""JSON over kept-alive HTTP connections, with the retries that do no harm."""
from __future__ import annotations

import http.client
import json
import random
import ssl
import threading
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

Value = Union[str, int, float, bool, None, Sequence[Union[str, int]]]
RETRY_AFTER_MOST_S = 10.0


class ApiError(Exception):
    """The server refused or failed: problem+json as an exception.

    status: of HTTP. code: a stable word for programs ("not_found"). detail: what failed and what to
    do. problem: all that the server said."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = dict(problem)
        self.code = str(problem.get("code", "http"))
        self.detail = str(problem.get("detail", ""))
        self.request_id: Optional[str] = problem.get("request_id")
        super().__init__(f"{status} {self.code}: {self.detail}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, self.problem)


class Unreachable(ConnectionError):
    """No answer came: the server is away, or took longer than the timeout."""


def path_of(*parts: Union[str, int]) -> str:
    """A path of these parts, whatever they hold: path_of("v1", "users", "a/b")."""
    return "".join("/" + urllib.parse.quote(str(part), safe="") for part in parts)


def query_of(values: Mapping[str, Value]) -> str:
    """"?n=5&exclude=a&exclude=b"; what is None is left out, a list is repeated."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, bool):
            pairs.append((name, "1" if value else "0"))
        elif isinstance(value, (str, int, float)):
            pairs.append((name, str(value)))
        elif value is not None:
            pairs += [(name, str(one)) for one in value]
    return "?" + urllib.parse.urlencode(pairs) if pairs else ""


class Transport:
    """One server. May be used by any number of threads: each has a connection of its own."""

    def __init__(self, url: str, key: Optional[str], timeout: float, retries: int,
                 context: Optional[ssl.SSLContext]) -> None:
        parts = urllib.parse.urlsplit(url if "://" in url else "http://" + url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not the address of a server: http://127.0.0.1:8080")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError(f"{url!r}: a scheme, a host, a port and a path are allowed")
        self.secure, self.host, self.port = parts.scheme == "https", parts.hostname, parts.port
        self.prefix, self.timeout, self.retries = parts.path.rstrip("/"), timeout, retries
        self.context = context
        self.headers = {"Accept": "application/json, application/problem+json"}
        if key:
            self.headers["Authorization"] = "Bearer " + key
        self._own = threading.local()

    def _connection(self) -> http.client.HTTPConnection:
        found: Optional[http.client.HTTPConnection] = getattr(self._own, "connection", None)
        if found is None:
            if self.secure:
                found = http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout,
                                                    context=self.context)
            else:
                found = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
            self._own.connection = found
        return found

    def close(self) -> None:
        """Closes this thread's connection; the next call opens another."""
        found = getattr(self._own, "connection", None)
        if found is not None:
            found.close()
        self._own.connection = None

    def _once(self, method: str, path: str,
              body: Optional[bytes]) -> tuple[int, http.client.HTTPMessage, bytes]:
        headers = dict(self.headers)
        if method != "GET":
            headers["Content-Type"] = "application/json"
        connection = self._connection()
        connection.request(method, self.prefix + path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def call(self, method: str, path: str, body: Any = None, again: bool = True) -> Any:
        """What the server answers, parsed. again: whether a second try does no harm where it is
        not known what became of the first; without it only 429 and 503 are tried again, by which
        the server says that it did nothing."""
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        for attempt in range(self.retries + 1):
            last = attempt == self.retries
            try:
                status, headers, text = self._once(method, path, data)
            except (OSError, http.client.HTTPException) as why:
                self.close()
                if last or not (again or isinstance(why, ConnectionRefusedError)):
                    raise Unreachable(f"{method} {path} of {self.host}:{self.port or ''}: no "
                                      f"answer: {why or type(why).__name__}") from why
                time.sleep(_pause_s(attempt, None))
                continue
            if status not in (429, 503) or last:
                return _value(status, text)
            time.sleep(_pause_s(attempt, headers.get("Retry-After")))
        raise AssertionError("the last attempt returns or raises")


def _pause_s(attempt: int, told: Optional[str]) -> float:
    """How long to wait: what the server says, else twice as long each time, never two alike."""
    if told and told.isdigit():
        return min(float(told), RETRY_AFTER_MOST_S)
    return float(0.05 * 2**attempt * random.uniform(0.5, 1.5))


def _value(status: int, text: bytes) -> Any:
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        value = None
    if 200 <= status < 300 and value is not None:
        return value
    if not isinstance(value, dict):
        value = {"detail": text[:500].decode("utf-8", "replace")}
    raise ApiError(status, value)
