from __future__ import annotations

import time
from pathlib import Path

import pytest
from textual.message import Message

from screens.feed import Feed, RunsChanged, StoreChanged, TraceChanged, Trouble
from store import events, points, runs
from store.connection import open_store
from tests.screens.seed import log_step
from tests.workbench.supervision.support import standing_still
from workbench.insight.settings import Setting
from workbench.paths import Home


def feed_of(home: Home) -> tuple[Feed, list[Message]]:
    """Return a feed that has looked once, and the list its messages go to."""
    posted: list[Message] = []
    feed = Feed(home, posted.append)
    feed.poll()
    return feed, posted


def test_nothing_is_fetched_or_said_while_nothing_changes(seeded: Home) -> None:
    feed, posted = feed_of(seeded)
    posted.clear()
    feed.poll()
    feed.poll()
    assert posted == []


def test_only_new_points_of_watched_runs_are_fetched(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    feed, posted = feed_of(home)
    feed.watch(32)
    feed.poll()
    asked: list[int] = []
    fetch = points.series
    monkeypatch.setattr(points, "series", lambda *what: asked.append(what[3]) or fetch(*what))
    posted.clear()
    with open_store(home.store) as store:
        log_step(store, 32, 254, 0.5)
    feed.poll()
    assert min(asked) >= 250
    assert [type(message) for message in posted] == [RunsChanged, TraceChanged]
    assert feed.traces[32].curves["train/loss"].points() == (
        list(range(2, 256, 2)),
        feed.traces[32].curves["train/loss"].values,
    )


def test_another_run_that_logs_is_no_news_of_the_one_watched(home: Home) -> None:
    feed, posted = feed_of(home)
    feed.watch(30)
    feed.poll()
    posted.clear()
    with open_store(home.store) as store:
        log_step(store, 32, 254, 0.5)
    feed.poll()
    assert TraceChanged not in [type(message) for message in posted]


def test_a_new_attempt_is_read_from_its_beginning(home: Home) -> None:
    feed, _ = feed_of(home)
    feed.watch(32)
    feed.poll()
    with open_store(home.store) as store, store.write() as connection:
        connection.execute("DELETE FROM point WHERE run_id=32 AND step>100")
        connection.execute("UPDATE run SET attempt=2, step=100 WHERE id=32")
    feed.poll()
    assert feed.traces[32].curves["train/loss"].steps[-1] == 100
    assert feed.traces[32].attempt == 2


def test_runs_that_come_go_and_end_are_noticed(home: Home) -> None:
    feed, _ = feed_of(home)
    with open_store(home.store) as store:
        runs.move(store, 32, "finished", since=("running",))
        runs.delete(store, 5)
    feed.poll()
    assert feed.runs[32].state == "finished"
    assert 5 not in feed.runs
    assert [run.id for run in feed.open_runs()] == [33]
    assert list(feed.runs) == sorted(feed.runs, reverse=True)


def test_a_run_that_stands_still_is_told_though_the_store_says_nothing_new(home: Home) -> None:
    feed, posted = feed_of(home)
    posted.clear()
    with standing_still(home, feed.runs[32], 40):
        feed.poll()
        assert feed.stalled(feed.runs[32]) == pytest.approx(40, abs=5)
        assert feed.stalled(feed.runs[33]) is None
        feed.poll()
        assert [type(message) for message in posted] == [RunsChanged]
    feed.poll()
    assert feed.stalled(feed.runs[32]) is None
    assert [type(message) for message in posted] == [RunsChanged, RunsChanged]


def test_a_store_that_breaks_is_told_and_read_again_when_it_is_back(home: Home) -> None:
    feed, posted = feed_of(home)
    feed.home = Home(home.root / "elsewhere" / "\0")
    feed._lose(OSError("gone"))
    feed.look()
    assert isinstance(posted[-1], StoreChanged | Trouble)
    feed.home = home
    feed.look()
    assert feed.state == "ready"
    assert len(feed.runs) == 33


def test_events_and_samples_of_a_watched_run_are_followed(home: Home) -> None:
    feed, _ = feed_of(home)
    feed.watch(32)
    feed.poll()
    known = len(feed.traces[32].events)
    with open_store(home.store) as store, store.write() as connection:
        events.append(connection, 32, [(time.time(), 253, "warning", "warning", "eval loss rises", None)])
        events.append_system(connection, 32, time.time(), {"gpu0/util": 71.0}, {})
    feed.poll()
    assert [event.text for event in feed.traces[32].events[known:]] == ["eval loss rises"]
    assert feed.traces[32].samples[-1]["gpu0/util"] == 71.0


def test_what_is_not_watched_is_forgotten(seeded: Home) -> None:
    feed, _ = feed_of(seeded)
    feed.watch(32, 30)
    feed.poll()
    assert set(feed.traces) == {30, 32}
    feed.watch(30)
    feed.poll()
    assert set(feed.traces) == {30}


def test_the_nearest_earlier_run_is_found(seeded: Home) -> None:
    feed, _ = feed_of(seeded)
    feed.watch(24)
    feed.poll()
    nearest = feed.traces[24].nearest
    assert nearest is not None
    assert nearest.run.id == 15
    assert nearest.differences == (Setting("seed", ("43", "44")),)


def test_a_point_arrives_by_itself(home: Home, tmp_path: Path) -> None:
    feed, _ = feed_of(home)
    feed._store.close()
    feed._store = None
    feed.watch(32)
    feed.start()
    try:
        _await(lambda: 32 in feed.traces)
        with open_store(home.store) as store:
            log_step(store, 32, 254, 0.5)
        _await(lambda: feed.traces[32].curves["train/loss"].steps[-1] == 254)
    finally:
        feed.close()


def _await(true: object) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
