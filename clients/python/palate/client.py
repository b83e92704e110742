"""A client for `palate serve`, with nothing but the standard library.

    client = Client("http://127.0.0.1:8080")
    client.add_events([{"user_id": "you", "item_id": "1193", "type": "like"}])
    client.recommend("you", n=5)["items"]

Connections are kept alive, one for each thread that calls. A call that got no answer, or that the
server was too busy for, is made again where that does no harm: questions, and writes that say the
same twice. Events are such writes too, since each is given an event_id before it is first sent, by
which the server counts it once however often it comes.
"""
from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional, Union, cast

from .answers import (Event, Events, Id, Item, ItemIn, Items, Json, List, Models, Past, Started,
                      StoredEvent, Training, User)
from .transport import ApiError, Transport, Unreachable, Value, path_of, query_of

__all__ = ["ApiError", "Client", "Unreachable"]

BATCH = 10000  # the most that one call may bring
History = Iterable[Union[Id, Past]]


def _batches(things: Iterable[Json]) -> Iterator[list[Json]]:
    batch: list[Json] = []
    for thing in things:
        batch.append(thing)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _given(**values: Any) -> Json:
    """Those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _copies(things: Iterable[Mapping[str, Any]]) -> Iterator[Json]:
    return (dict(thing) for thing in things)


class Client:
    """A server. Calls raise ApiError where it refuses or fails, Unreachable where none answers.

    key: sent as a bearer token. timeout: seconds that one attempt may wait for the server.
    retries: attempts after the first. context: for https, where the system's certificates do not
    do. Any number of threads may use one client."""

    def __init__(self, url: str = "http://127.0.0.1:8080", key: Optional[str] = None,
                 timeout: float = 10.0, retries: int = 3,
                 context: Optional[ssl.SSLContext] = None) -> None:
        self._transport = Transport(url, key, timeout, retries, context)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_why: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection of this thread."""
        self._transport.close()

    def _get(self, *parts: Union[str, int], **query: Value) -> Any:
        return self._transport.call("GET", path_of(*parts) + query_of(query))

    # ---- events ----

    def add_events(self, events: Iterable[Event]) -> int:
        """Takes in events, however many; how many were accepted. When it returns they are on disk
        and count for the next answer. Each without an event_id gets one, so that none counts
        twice. Where a batch is refused (ApiError), those before it were taken in."""
        accepted, prefix, number = 0, uuid.uuid4().hex, 0
        for batch in _batches(_copies(cast("Iterable[Mapping[str, Any]]", events))):
            for event in batch:
                if event.get("event_id") is None:
                    event["event_id"] = f"{prefix}-{number}"
                    number += 1
            done = self._transport.call("POST", "/v1/events", {"events": batch})
            accepted += int(done["accepted"])
        return accepted

    def add_event(self, user_id: Id, item_id: Id, type: str = "like",
                  value: Optional[float] = None, timestamp: Union[int, str, None] = None,
                  event_id: Optional[str] = None,
                  recommendation_id: Optional[str] = None) -> None:
        """One event. recommendation_id: of the list that this answers."""
        event = _given(user_id=user_id, item_id=item_id, type=type, value=value,
                       timestamp=timestamp, event_id=event_id,
                       recommendation_id=recommendation_id)
        self.add_events([cast(Event, event)])

    # ---- the catalog ----

    def put_items(self, items: Iterable[ItemIn]) -> int:
        """Adds items, however many, or replaces those that are known."""
        return sum(int(self._transport.call("POST", "/v1/items", {"items": batch})["accepted"])
                   for batch in _batches(_copies(cast("Iterable[Mapping[str, Any]]", items))))

    def item(self, item_id: Id) -> Item:
        """What is known of an item."""
        return cast(Item, self._get("v1", "items", item_id))

    def delete_item(self, item_id: Id) -> bool:
        """Takes an item out of the catalog; whether it was there."""
        return bool(self._transport.call("DELETE", path_of("v1", "items", item_id))["deleted"])

    def items(self, *, search: Optional[str] = None, filter: Optional[str] = None,
              limit: Optional[int] = None, cursor: Optional[str] = None) -> Items:
        """A page of the catalog."""
        return cast(Items, self._get("v1", "items", search=search, filter=filter, limit=limit,
                                     cursor=cursor))

    def all_items(self, *, search: Optional[str] = None,
                  filter: Optional[str] = None) -> Iterator[Item]:
        """The catalog, page by page as it is walked through."""
        cursor: Optional[str] = None
        while True:
            page = self.items(search=search, filter=filter, limit=1000, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    # ---- users ----

    def put_user(self, user_id: Id, attributes: Optional[Json] = None) -> User:
        """Says what is known of a user."""
        return cast(User, self._transport.call("PUT", path_of("v1", "users", user_id),
                                               _given(attributes=attributes)))

    def user(self, user_id: Id, export: bool = False) -> User:
        """What is known of a user; with export everything."""
        return cast(User, self._get("v1", "users", user_id, export=True if export else None))

    def delete_user(self, user_id: Id) -> bool:
        """Erases all that is known of a user; whether there was anything."""
        return bool(self._transport.call("DELETE", path_of("v1", "users", user_id))["deleted"])

    def events(self, user_id: Id, limit: Optional[int] = None,
               cursor: Optional[str] = None) -> Events:
        """A page of what a user did, newest first."""
        return cast(Events, self._get("v1", "users", user_id, "events", limit=limit,
                                      cursor=cursor))

    def all_events(self, user_id: Id) -> Iterator[StoredEvent]:
        """All that a user did, newest first."""
        cursor: Optional[str] = None
        while True:
            page = self.events(user_id, limit=1000, cursor=cursor)
            yield from page["events"]
            cursor = page["next"]
            if cursor is None:
                return

    # ---- answers ----

    def recommend(self, user_id: Id, n: int = 10, *, filter: Optional[str] = None,
                  exclude: Optional[Sequence[Id]] = None, explain: Optional[bool] = None,
                  details: Optional[bool] = None, model: Optional[str] = None,
                  explore: Optional[float] = None, diversity: Optional[float] = None) -> List:
        """What next, for a user."""
        return cast(List, self._get("v1", "users", user_id, "recommendations", n=n, filter=filter,
                                    exclude=exclude, explain=explain, details=details, model=model,
                                    explore=explore, diversity=diversity))

    def recommend_for(self, history: History, n: int = 10, *, filter: Optional[str] = None,
                      exclude: Optional[Sequence[Id]] = None, explain: Optional[bool] = None,
                      details: Optional[bool] = None, model: Optional[str] = None,
                      explore: Optional[float] = None, diversity: Optional[float] = None) -> List:
        """The same for somebody who is not known: item ids, or {"item_id": …, "type": …}."""
        body = _given(history=list(history), n=n, filter=filter,
                      exclude=None if exclude is None else list(exclude), explain=explain,
                      details=details, model=model, explore=explore, diversity=diversity)
        return cast(List, self._transport.call("POST", "/v1/recommendations", body))

    def similar(self, item_id: Id, n: int = 10, *, filter: Optional[str] = None,
                exclude: Optional[Sequence[Id]] = None, details: Optional[bool] = None) -> List:
        """The items most like this one."""
        return cast(List, self._get("v1", "items", item_id, "similar", n=n, filter=filter,
                                    exclude=exclude, details=details))

    def popular(self, n: int = 10, *, filter: Optional[str] = None,
                exclude: Optional[Sequence[Id]] = None, details: Optional[bool] = None) -> List:
        """What is popular."""
        return cast(List, self._get("v1", "popular", n=n, filter=filter, exclude=exclude,
                                    details=details))

    def trending(self, n: int = 10, *, filter: Optional[str] = None,
                 exclude: Optional[Sequence[Id]] = None, details: Optional[bool] = None) -> List:
        """What is getting popular."""
        return cast(List, self._get("v1", "trending", n=n, filter=filter, exclude=exclude,
                                    details=details))

    def rank(self, item_ids: Sequence[Id], *, user_id: Optional[Id] = None,
             history: Optional[History] = None, explain: Optional[bool] = None,
             details: Optional[bool] = None, model: Optional[str] = None) -> List:
        """These items, best first, for a user or for a history."""
        body = _given(item_ids=list(item_ids), user_id=user_id,
                      history=None if history is None else list(history), explain=explain,
                      details=details, model=model)
        return cast(List, self._transport.call("POST", "/v1/rank", body))

    # ---- models and the server ----

    def models(self) -> Models:
        """The versions that were published."""
        return cast(Models, self._get("v1", "models"))

    def activate(self, version: int) -> int:
        """Makes a version the live one."""
        path = path_of("v1", "models", version, "activate")
        return int(self._transport.call("POST", path)["version"])

    def reload(self) -> int:
        """Loads the live version again; its number."""
        return int(self._transport.call("POST", "/v1/models/reload")["version"])

    def train(self) -> Started:
        """Begins a training; ApiError 409 where one runs. Not tried again without an answer."""
        return cast(Started, self._transport.call("POST", "/v1/train", again=False))

    def training(self) -> Training:
        """The training under way, and those before."""
        return cast(Training, self._get("v1", "train"))

    def stats(self) -> Json:
        """What the data look like."""
        return cast(Json, self._get("v1", "stats"))

    def status(self) -> Json:
        """How the server is."""
        return cast(Json, self._get("v1", "status"))

    def ready(self) -> bool:
        """Whether it can answer; False also where nobody is there."""
        try:
            self._transport.call("GET", "/health/ready", again=False)
            return True
        except (ApiError, Unreachable):
            return False
