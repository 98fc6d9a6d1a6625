"""How much of others' files is read in all: each user has little, and so have all of them together."""

import pytest

from sriov_bootstrap.base.byte_budget import MAX_BYTES, MAX_USER_BYTES, USERS, ByteBudget, OverBudgetError

MORE = "others may not have been read either"


def refusal(budget: ByteBudget, number: int, user: int) -> tuple[str, bool]:
    with pytest.raises(OverBudgetError) as caught:
        budget.take(number, user)
    return str(caught.value.strerror), caught.value.is_first


def test_a_user_has_as_much_as_that() -> None:
    budget = ByteBudget()
    budget.take(MAX_USER_BYTES - 1, 1000)
    reason = f"not read: more than 1 MiB of files that user 1000 owns or names; {MORE}"
    assert refusal(budget, 2, 1000) == (reason, True)
    assert refusal(budget, 2, 1000) == (reason, False)
    budget.take(1, 1000)  # what was refused has cost nothing
    budget.take(MAX_USER_BYTES, 1001)


def test_all_users_together_have_several_times_that() -> None:
    budget = ByteBudget(1 << 21)
    for user in range(1, USERS + 1):
        budget.take(1 << 21, user)
    reason = f"not read: more than {2 * USERS} MiB of files that users other than root own or name; {MORE}"
    assert refusal(budget, 1, 1000) == (reason, True)
    assert refusal(budget, 1, 1001) == (reason, False)
    budget.take(1 << 21, 0)


def test_root_has_the_rest() -> None:
    budget = ByteBudget()
    budget.take(MAX_USER_BYTES, 1000)
    budget.take(MAX_BYTES - MAX_USER_BYTES, 0)
    reason = f"not read: more than 64 MiB of files; {MORE}"
    assert refusal(budget, 1, 0) == (reason, True)
    assert refusal(budget, 1, 1001) == (reason, False)
    budget.take(0, 0)
