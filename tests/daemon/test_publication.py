"""When the page of metrics is made, by a daemon whose time passes at will."""

import pytest

from fakes_daemon import Stage, make_state
from sriov_bootstrap.core.events import Event, Level


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.host.pages_end_at_once = False
    return stage


def another_state(stage: Stage, num_vfs: int) -> None:
    stage.udev.send(b"r")
    stage.advance(0.2)
    stage.end_pass(make_state(num_vfs=num_vfs))


def end_page(stage: Stage, *problems: str) -> None:
    stage.host.end_page(stage.host.pages[-1], *problems)
    stage.advance()


def test_a_page_is_made_when_the_boot_has_what_it_waits_for(stage: Stage) -> None:
    assert stage.host.pages == []
    stage.end_pass(make_state())
    assert len(stage.host.pages) == 1


def test_states_that_come_while_a_page_is_made_have_one_page(stage: Stage) -> None:
    stage.settle()
    for num_vfs in (1, 2, 3):
        another_state(stage, num_vfs)
    assert len(stage.host.pages) == 1
    end_page(stage)
    assert len(stage.host.pages) == 2
    end_page(stage)
    assert len(stage.host.pages) == 2
    assert {job.pid for job in stage.host.pages} <= {*stage.host.reaped}


def test_what_is_wrong_with_a_page_is_said_once_and_again_when_it_comes_back(stage: Stage) -> None:
    stage.settle()
    end_page(stage, "no room")
    end_page(stage, "no room")
    another_state(stage, 1)
    end_page(stage)
    another_state(stage, 2)
    end_page(stage, "no room")
    assert stage.host.logged.count(Event(Level.WARNING, "no room")) == 2


def test_a_page_that_hangs_is_given_up_and_the_next_state_has_one(stage: Stage) -> None:
    stage.settle()
    hung = stage.host.pages[-1]
    stage.advance(121.0)
    assert stage.host.ended == [hung.pid]
    assert f"making the metrics hung for 120 s and was abandoned (process {hung.pid})" in stage.texts
    assert len(stage.host.pages) == 2


def test_a_page_without_room_for_a_process_is_made_after_the_next_pass(stage: Stage) -> None:
    stage.end_pass(make_state())
    stage.host.has_room = False
    end_page(stage)
    stage.advance(0.2)
    assert len(stage.host.pages) == 1
    stage.host.has_room = True
    stage.advance(5.0)
    stage.end_pass(make_state())
    assert len(stage.host.pages) == 2


def test_a_page_whose_process_dies_is_told_and_costs_nothing_else(stage: Stage) -> None:
    stage.settle()
    stage.host.lose_page(stage.host.pages[-1])
    stage.advance()
    assert "the metrics are not updated: its process exited without a report" in stage.texts
    another_state(stage, 2)
    assert stage.passes == 3
