import pytest

from sriov_bootstrap.exporter.passwords import is_right

HASH = "$04$ba.IDLYy5FngDAwHvnbRz.lO2clAQnNzAMOuk0rAtS3TuGtM48m1K"  # of "correct horse"


@pytest.mark.parametrize("form", ["$2a", "$2b", "$2y"])
def test_the_password_is_known_by_its_hash_whichever_tool_made_it(form: str) -> None:
    assert is_right(b"correct horse", form + HASH)
    assert not is_right(b"battery staple", form + HASH)


@pytest.mark.parametrize("password", [b"", b"correct horse\0", b"\0", b"x" * 10_000])
def test_odd_passwords_are_wrong_and_nothing_worse(password: bytes) -> None:
    assert not is_right(password, "$2b" + HASH)
