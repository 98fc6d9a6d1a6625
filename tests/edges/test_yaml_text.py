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
