"""What a server answers, as types. `/openapi.json` describes every field."""
from __future__ import annotations

from typing import Any, Optional, TypedDict, Union

Json = dict[str, Any]
Id = Union[str, int]
Time = Union[int, str]  # milliseconds since 1970 UTC, or ISO 8601


class _EventIds(TypedDict):
    user_id: Id
    item_id: Id


class Event(_EventIds, total=False):
    """Somebody did something with an item; type "like" and value 1 where nothing is said."""

    type: Optional[str]
    value: Optional[float]
    timestamp: Optional[Time]
    event_id: Optional[str]
    recommendation_id: Optional[str]


class _ItemId(TypedDict):
    item_id: Id


class ItemIn(_ItemId, total=False):
    """An item as it is put into the catalog."""

    title: Optional[str]
    categories: Optional[list[str]]
    attributes: Optional[Json]
    image_url: Optional[str]
    available: Optional[bool]
    created_at: Optional[Time]


class Item(TypedDict):
    """An item as it is in the catalog."""

    item_id: str
    title: Optional[str]
    categories: list[str]
    attributes: Json
    image_url: Optional[str]
    available: bool
    created_at: int


class Past(_ItemId, total=False):
    """One thing of a history that comes with the question."""

    type: Optional[str]
    value: Optional[float]
    timestamp: Optional[Time]


class Reason(TypedDict):
    """An item of the history that speaks for what is recommended."""

    item_id: str
    title: str
    part: float


class _Listed(TypedDict):
    item_id: str
    title: Optional[str]
    score: float
    source: str


class Listed(_Listed, total=False):
    """One item of a list; with details also what the catalog knows of it."""

    explored: bool
    propensity: float
    reasons: list[Reason]
    categories: list[str]
    attributes: Json
    image_url: Optional[str]
    available: bool
    created_at: int


class _List(TypedDict):
    model_version: int
    items: list[Listed]


class List(_List, total=False):
    """A list of items, best first."""

    recommendation_id: str
    user_id: str
    item_id: str
    personal: bool
    hint: str


class Items(TypedDict):
    """A page of the catalog; next is the cursor of the page after it."""

    items: list[Item]
    next: Optional[str]
    total: int


class StoredEvent(TypedDict, total=False):
    """An event as it was taken in."""

    user_id: str
    item_id: str
    type: str
    value: float
    timestamp: int
    event_id: str
    recommendation_id: str


class Events(TypedDict):
    """A page of a user's events, newest first."""

    events: list[StoredEvent]
    next: Optional[str]


class _User(TypedDict):
    user_id: str
    attributes: Json
    created_at: int


class User(_User, total=False):
    """A user; with export=True also all events and lists."""

    event_count: int
    events: list[StoredEvent]
    served: list[Json]


class Models(TypedDict):
    """The versions that were published, newest first."""

    current: Optional[int]
    versions: list[Json]


class Training(TypedDict):
    """The training under way, and those before."""

    state: str
    next_at: Optional[int]
    runs: list[Json]


class Started(TypedDict):
    """A training that has begun."""

    run: int
    state: str
