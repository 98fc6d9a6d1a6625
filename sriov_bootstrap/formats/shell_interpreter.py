"""Follows lists and compound commands of shell: which of them are reached, and what is known there."""

from collections.abc import Callable

from sriov_bootstrap.formats import shell_simple
from sriov_bootstrap.formats.shell_conditions import (
    SUCCESS,
    TestVerdict,
    both,
    either,
    fits,
    narrow,
    variable_of,
)
from sriov_bootstrap.formats.shell_follower import CommandOutcome, Follower, output_of_all, output_of_any
from sriov_bootstrap.formats.shell_loops import CHANGE, count_values, with_files
from sriov_bootstrap.formats.shell_nodes import (
    AndOr,
    Arithmetic,
    Case,
    Command,
    CommandList,
    For,
    FunctionDefinition,
    Group,
    If,
    Pipeline,
    Redirection,
    Simple,
    While,
    assigned_names,
    reads_lines,
)
from sriov_bootstrap.formats.shell_options import option_turns
from sriov_bootstrap.formats.shell_redirections import feed_of, open_descriptors, write_output
from sriov_bootstrap.formats.shell_state import MAX_VALUES, ShellState, Values
from sriov_bootstrap.formats.shell_unknowns import UNKNOWN

COST = 16  # of a command, in characters


class Interpreter(Follower):
    """See shell.py."""

    def block(self, block: CommandList, state: ShellState) -> CommandOutcome:
        """Commands, up to one that ends them."""
        outcomes: list[CommandOutcome] = []
        for list_ in block:
            if state.ended:
                break
            is_part = not _is_on_one_line(list_)
            self.blocks += is_part
            outcomes.append(self._and_or(list_, self._apart(state) if list_.is_apart else state))
            self.blocks -= is_part
        return CommandOutcome(outcomes[-1].verdict if outcomes else SUCCESS, output_of_all(outcomes))

    def _and_or(self, list_: AndOr, state: ShellState) -> CommandOutcome:
        outcome = self._pipeline(list_.parts[0][1], state)
        outcomes = [outcome]
        for connector, pipeline in list_.parts[1:]:
            verdict = outcome.verdict if connector == "&&" else outcome.verdict.negated
            if state.ended:
                break
            if verdict.holds is not False:
                outcome = self._follow_up(pipeline, connector, outcome.verdict, state)
                outcomes.append(outcome)
        return CommandOutcome(outcome.verdict, output_of_all(outcomes))

    def _follow_up(self, pipeline: Pipeline, connector: str, before: TestVerdict, state: ShellState) -> CommandOutcome:
        """What stands behind `&&` or `||`, and may or may not be done."""
        verdict = before if connector == "&&" else before.negated
        if verdict.holds:
            outcome = self._certainly_or_not(pipeline, verdict, state)
            return CommandOutcome(
                both(before, outcome.verdict) if connector == "&&" else outcome.verdict, outcome.output
            )
        branch, other = state.copy(), state.copy()
        branch.known |= verdict.if_true
        other.known |= verdict.if_false
        branch.is_doubtful |= verdict.is_doubtful
        outcome = self._pipeline(pipeline, branch)
        self._rejoin(state, [branch, other], is_doubtful=verdict.is_doubtful and not before.is_assumed)
        return CommandOutcome((both if connector == "&&" else either)(before, outcome.verdict), outcome.output)

    def _certainly_or_not(self, pipeline: Pipeline, verdict: TestVerdict, state: ShellState) -> CommandOutcome:
        """Behind a command that is taken to succeed; but what would end the script with it may as well not."""
        if not verdict.is_assumed:
            return self._pipeline(pipeline, state)
        branch = self._apart(state)
        outcome = self._pipeline(pipeline, branch)
        if branch.ended in {"exit", "return"}:
            self._rejoin(state, [branch, state.copy()], is_doubtful=True)
        else:
            state.become(branch)
        return outcome

    def _apart(self, state: ShellState) -> ShellState:
        """For a shell of its own: what is changed, or ended, there is not changed here."""
        self.steps.take(len(state.known))
        return state.copy()

    def _rejoin(self, state: ShellState, branches: list[ShellState], *, is_doubtful: bool) -> None:
        """After a condition: where a branch has ended, what follows depends on the condition, too."""
        self.steps.take(sum(len(branch.known) for branch in branches))
        is_doubtful = state.is_doubtful or (is_doubtful and any(branch.ended for branch in branches))
        state.become(*branches)
        state.is_doubtful = is_doubtful

    def _pipeline(self, pipeline: Pipeline, state: ShellState) -> CommandOutcome:
        outcome, kept = CommandOutcome(), self.feed
        for number, command in enumerate(pipeline.commands):
            if number:
                self.feed = outcome.output
            outcome = self._command(command, self._apart(state) if len(pipeline.commands) > 1 else state)
        self.feed = kept
        return CommandOutcome(outcome.verdict.negated, outcome.output) if pipeline.is_negated else outcome

    def _command(self, command: Command, state: ShellState) -> CommandOutcome:
        self.steps.take(COST)
        self.line = command.line
        if isinstance(command, Simple):
            return shell_simple.run(self, command, state)
        if isinstance(command, Arithmetic):
            return self._arithmetic(command.text, state)
        if isinstance(command, FunctionDefinition):
            place = self.place(0)
            self.functions[command.name] = (command.body, place.path, place.line)
            return CommandOutcome(SUCCESS)
        self.blocks += 1
        outcome = self._compound(command, state)
        self.blocks -= 1
        return outcome

    def _compound(self, command: If | For | While | Case | Group, state: ShellState) -> CommandOutcome:
        match command:
            case If():
                return self._if(command, state)
            case Case():
                return self._case(command, state)
            case For():
                return self._follow_redirected(command.redirections, state, lambda: self._for(command, state))
            case While():
                return self._follow_redirected(command.redirections, state, lambda: self._while(command, state))
            case Group():  # pragma: no branch - mypy knows that it is the last one
                return self._follow_redirected(command.redirections, state, lambda: self._group(command, state))

    def _group(self, group: Group, state: ShellState) -> CommandOutcome:
        return self.block(group.body, self._apart(state) if group.is_apart else state)

    def _follow_redirected(
        self, redirections: list[Redirection], state: ShellState, body: Callable[[], CommandOutcome]
    ) -> CommandOutcome:
        """With the input and output of all of it."""
        kept = self.feed
        self.feed = feed_of(self, redirections, state)
        open_descriptors(self, redirections, state)
        outcome = body()
        self.feed = kept
        line = redirections[0].target.line if redirections else 0
        return write_output(self, redirections, state, outcome, line)

    def _arithmetic(self, text: str, state: ShellState) -> CommandOutcome:
        """`((...))`: an assignment, or a condition."""
        if found := CHANGE.match(text):
            name, operator, rest = found.groups()
            change = {"=": rest, "++": f"{name}+1", "--": f"{name}-1"}.get(operator, f"{name}{operator[:1]}({rest})")
            state.known[name] = self.expander.arithmetic(change, state)
            return CommandOutcome()
        return CommandOutcome(TestVerdict())

    # -- branches --

    def _if(self, command: If, state: ShellState) -> CommandOutcome:
        branches: list[ShellState] = []
        outcomes: list[CommandOutcome] = []
        rest, is_doubtful, is_decided = state.copy(), False, False
        for condition, body in command.arms:
            verdict = self.block(condition, rest).verdict
            is_sure = verdict.holds is not None and not verdict.is_assumed
            if is_sure and not verdict.holds:
                continue
            is_decided = is_sure
            is_doubtful |= not is_sure and verdict.is_doubtful
            branch = rest.copy()
            branch.known |= verdict.if_true
            branch.is_doubtful |= is_doubtful
            rest.known |= verdict.if_false
            outcomes.append(self.block(body, branch))
            branches.append(branch)
            if is_decided:
                break
        if not is_decided:
            rest.is_doubtful |= is_doubtful
            outcomes.append(self.block(command.otherwise, rest))
            branches.append(rest)
        self._rejoin(state, branches, is_doubtful=is_doubtful)
        return CommandOutcome(output=output_of_any(outcomes))

    def _case(self, command: Case, state: ShellState) -> CommandOutcome:
        values, (name, prefix) = self.expander.expand(command.word, state), variable_of(command.word)
        branches: list[ShellState] = []
        outcomes: list[CommandOutcome] = []
        for patterns, body in command.arms:
            wanted = tuple(text for pattern in patterns for text in self.expander.expand(pattern, state))
            fit = {any(fits(value, pattern) is not False for pattern in wanted) for value in values}
            if True not in fit or not values:
                continue
            branch = state.copy()
            if name and not prefix:
                branch.known[name] = (
                    narrow(values, tuple(text for text in wanted if text != "*")) if "*" not in wanted else values
                )
            sure = {any(fits(value, pattern) for pattern in wanted) for value in values}
            branch.is_doubtful |= sure != {True} or bool(branches)
            outcomes.append(self.block(body, branch))
            branches.append(branch)
            values = tuple(value for value in values if not any(fits(value, pattern) for pattern in wanted))
        if values:
            branches.append(state.copy())
        self._rejoin(state, branches, is_doubtful=len(branches) > 1)
        return CommandOutcome(output=output_of_any(outcomes))

    # -- loops --

    def _for(self, command: For, state: ShellState) -> CommandOutcome:
        name, words = command.name, command.words
        if command.arithmetic:
            name, found = count_values(self, command.arithmetic, state)
        elif words is None:
            found = [value for values in self.expander.fields("$@", state) for value in values]
        else:
            found = with_files(self, self.expander.split(words, state), state)
        return self._for_each([{name: (value,)} if name else {} for value in found], command.body, state)

    def _for_each(self, turns: list[dict[str, Values]], body: CommandList, state: ShellState) -> CommandOutcome:
        """Once for each of what variables may be."""
        outcomes: list[CommandOutcome] = []
        for turn in turns:
            state.known |= turn
            if not self._iterate(body, state, outcomes):
                break
        return CommandOutcome(output=output_of_all(outcomes))

    def _iterate(self, body: CommandList, state: ShellState, outcomes: list[CommandOutcome]) -> bool:
        """One time through a loop; False if the script is left."""
        is_doubtful = state.is_doubtful
        outcomes.append(self.block(body, state))
        if state.ended in {"return", "exit"}:
            return False
        state.ended, state.is_doubtful = "", is_doubtful
        return True

    def _while(self, command: While, state: ShellState) -> CommandOutcome:
        outcomes: list[CommandOutcome] = []
        turns = option_turns(self, command.condition, state)
        if turns is not None:
            return self._for_each(turns, command.body, state)
        if reads_lines(command.condition):
            lines = self.feed[0].splitlines() if len(self.feed) == 1 and UNKNOWN not in self.feed[0] else []
            if len(lines) > MAX_VALUES:
                self.steps.cut()
            for line in lines[:MAX_VALUES]:
                self.feed = (line,)
                self.block(command.condition, state)
                if not self._iterate(command.body, state, outcomes):
                    break
            if lines:
                return CommandOutcome(output=output_of_all(outcomes))
        elif self._is_counted(command, state, outcomes):
            return CommandOutcome(output=output_of_all(outcomes))
        for name in assigned_names(command.body):
            state.known[name] = (UNKNOWN,)
        self.block(command.condition, state)
        self._iterate(command.body, state, outcomes)
        return CommandOutcome(output=(UNKNOWN,))

    def _is_counted(self, command: While, state: ShellState, outcomes: list[CommandOutcome]) -> bool:
        """Follows a loop whose condition is known each time, and ends."""
        if not assigned_names(command.body):
            return False
        trial, kept = state.copy(), (len(self.writes), dict(self.unclear))
        for _ in range(MAX_VALUES):
            verdict = self.block(command.condition, trial).verdict
            verdict = verdict.negated if command.is_negated else verdict
            if verdict.holds is False:
                state.become(trial)
                return True
            if verdict.holds is None or verdict.is_assumed or not self._iterate(command.body, trial, outcomes):
                break
        del self.writes[kept[0] :]
        self.unclear = kept[1]
        outcomes.clear()
        return False


def _is_on_one_line(list_: AndOr) -> bool:
    """Whether its line may go without leaving a part of it."""
    commands = list_.parts[0][1].commands
    return len(list_.parts) == 1 and commands[0].line == commands[-1].line
