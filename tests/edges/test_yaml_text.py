import pytest

from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.edges.yaml_text import FOREIGN_BYTES, MAX_BYTES, parse, parse_located


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a: yes\nb: 010\nc: null\nd: 2020-01-01\ne:\nf: [1, 'x']\n", None),
        ("a: &x {b: c}\nd: *x\n", {"a": {"b": "c"}, "d": {"b": "c"}}),
        ("a: !!python/object/apply:os.system [id]\n", {"a": ["id"]}),
        ("<<: {a: b}\n", {"<<": {"a": "b"}}),
    ],
)
def test_every_scalar_is_a_text_and_no_tag_makes_anything_else(text: str, value: object) -> None:
    full = {"a": "yes", "b": "010", "c": "null", "d": "2020-01-01", "e": "", "f": ["1", "x"]}
    assert parse(text.encode(), "web.yml") == (full if "yes" in text else value)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a: b\na: c\n", 'web.yml: not YAML: line 2: duplicate key "a"'),
        (b"x:\n  a: b\n  a: c\n", 'web.yml: not YAML: line 3: duplicate key "a"'),
        (b"a: [\n", "web.yml: not YAML: line 2: "),
        (b"\tb", "web.yml: not YAML: line 1: "),
        (b"a: *b\n", "web.yml: not YAML: "),
        (b"[a]: b\n", "web.yml: not YAML: line 1: found unhashable key"),
        (b"a: b\n---\nc: d\n", "web.yml: not YAML: line 2: "),
        (b"\xff\xfe\xfa", "web.yml: not YAML: "),
        (b"a: \x01", "web.yml: not YAML: unacceptable character #x0001"),
        (b"[" * 5000, "web.yml: not YAML: line 1: nested too deeply"),
        (b"- " * 5000, "web.yml: not YAML: line 1: nested too deeply"),
        (b"#" * (MAX_BYTES + 1), f"web.yml: must have at most {MAX_BYTES} bytes"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(data: bytes, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(data, "web.yml")
    (found,) = caught.value.problems
    assert found.startswith(problem)
    assert "\n" not in found


def test_located_texts_know_their_line_and_may_be_nested_deeper() -> None:
    deep = "".join(f"{' ' * depth}k{depth}:\n" for depth in range(20)) + " " * 20 + "end: x\n"
    document = parse_located(deep.encode(), "/a.yaml")
    for depth in range(20):
        ((key, document),) = document.items()
        assert (key, key.line) == (f"k{depth}", depth + 1)
    assert document["end"].line == 21
    with pytest.raises(ConfigError, match="must have at most 131072 bytes"):
        parse_located(b"x" * (FOREIGN_BYTES + 1), "/a.yaml")


@pytest.mark.parametrize(
    ("text", "last", "merged"),
    [
        ("a: b\na: c\n", {"a": "c"}, {"a": "c"}),
        ("a: {b: c}\na: {d: e}\n", {"a": {"d": "e"}}, {"a": {"b": "c", "d": "e"}}),
        ("a: {b: c}\na: {b: e}\n", {"a": {"b": "e"}}, {"a": {"b": "e"}}),
        ("a: {b: {c: d}}\na: {b: {e: f}}\n", {"a": {"b": {"e": "f"}}}, {"a": {"b": {"c": "d", "e": "f"}}}),
        ("a: {b: c}\na: d\n", {"a": "d"}, {"a": "d"}),
        ("a: &x {b: c}\na: *x\n", {"a": {"b": "c"}}, {"a": {"b": "c"}}),
        ("", None, None),
    ],
)
def test_of_equal_keys_of_others_the_last_counts_or_all_do(text: str, last: object, merged: object) -> None:
    assert parse_located(text.encode(), "/a.yaml") == last
    assert parse_located(text.encode(), "/a.yaml", merges=True) == merged


def test_netplan_takes_the_first_document() -> None:
    assert parse_located(b"a: b\n---\nc: d\n", "/a.yaml", merges=True) == {"a": "b"}
    with pytest.raises(ConfigError, match=r"/a\.yaml: not YAML: line 2"):
        parse_located(b"a: b\n---\nc: d\n", "/a.yaml")


def test_located_texts_know_whether_they_have_quotes() -> None:
    document = parse_located(b"{a: 010, b: '010', c: \"010\"}", "/a.json")
    assert [document[key].is_plain for key in "abc"] == [True, False, False]


def test_equal_keys_whose_values_are_aliases_do_not_grow_without_an_end() -> None:
    lines = ["x0: &y0 {a: b}", "x1: &y1 {a: b}"]
    lines += [f"x{n}: {{k: &y{n} {{}}, k: *y{n - 1}, k: *y{n - 2}}}" for n in range(2, 90)]
    with pytest.raises(ConfigError, match=r"/a\.yaml: not YAML: line 1"):
        parse_located("\n".join(lines).encode(), "/a.yaml", merges=True)


@pytest.mark.parametrize(
    ("text", "last", "merged"),
    [
        ("a: b\nc: d\na: c\n", {"a": 1}, {"a": 1}),
        ("a: b\na: b\n", {}, {}),
        ("a: b\na: c\na: b\n", {"a": 1}, {"a": 1}),
        ("b: x\na: {b: c}\na: {d: e}\n", {"a": 2}, {}),
        ("a: {b: c}\na: d\n", {"a": 1}, {"a": 1}),
        ("a: &x {b: c}\na: *x\n", {}, {}),
    ],
)
def test_what_the_last_of_equal_keys_replaces_is_noted(text: str, last: dict[str, int], merged: dict[str, int]) -> None:
    assert parse_located(text.encode(), "/a.yaml").dropped == last
    assert parse_located(text.encode(), "/a.yaml", merges=True).dropped == merged


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x {b: c, d: e}\nf: {<<: *x, d: g}\n", {"b": "c", "d": "g"}),
        ("a: &x {b: c, d: e}\nf:\n  d: g\n  <<: *x\n", {"b": "c", "d": "g"}),
        ("a: [&x {b: c, d: e}, &y {b: h}]\nf: {<<: [*y, *x]}\n", {"b": "h", "d": "e"}),
        ("a: &x {b: c}\ne: &y {<<: *x, d: e}\nf: {<<: *y}\n", {"b": "c", "d": "e"}),
        ("f: {<<: text, b: c}\n", {"b": "c"}),
        ("f: {'<<': {a: b}}\n", {"<<": {"a": "b"}}),
    ],
)
def test_a_merge_takes_in_the_mapping_that_is_named(text: str, value: object) -> None:
    assert parse_located(text.encode(), "/a.yaml")["f"] == value


def test_netplan_knows_no_merge() -> None:
    assert parse_located(b"a: &x {b: c}\nf: {<<: *x}\n", "/a.yaml", merges=True)["f"] == {"<<": {"b": "c"}}


def test_merges_that_grow_without_an_end_are_refused() -> None:
    names = [f"a{number}: &a{number}\n  <<: [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 9)]
    text = "a0: &a0 {b: c, d: e}\n" + "".join(names)
    with pytest.raises(ConfigError, match=r"/a\.yaml: not YAML: line"):
        parse_located(text.encode(), "/a.yaml")
    with pytest.raises(ConfigError, match=r"/a\.yaml: not YAML"):
        parse_located(b"a: &x {<<: *x}\n", "/a.yaml")
