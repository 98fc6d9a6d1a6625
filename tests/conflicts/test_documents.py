"""What is dropped of YAML and JSON files by their own readers."""

from sriov_bootstrap.conflicts.documents import SHOWN, dropped_notes
from sriov_bootstrap.formats.located import Table

PATH = "/etc/netplan/50.yaml"


def test_what_a_reader_drops_is_noted_with_its_line() -> None:
    inner = Table.make({"numvfs": "4"}, {"numvfs": 7, "hunter2": 5})
    document = Table.make({"network": {"ethernets": [inner]}}, {"network": 1})
    assert dropped_notes(PATH, document) == [
        f"{PATH}:1: network comes again below in the same mapping, and only the last one counts",
        f"{PATH}:5: a key comes again below in the same mapping, and only the last one counts",
        f"{PATH}:7: numvfs comes again below in the same mapping, and only the last one counts",
    ]
    assert dropped_notes(PATH, {"a": ["b"]}) == dropped_notes(PATH, None) == []


def test_of_many_the_first_are_noted() -> None:
    table = Table.make({}, {f"k{number}": number for number in range(1, 100)})
    assert len(dropped_notes(PATH, table)) == SHOWN
