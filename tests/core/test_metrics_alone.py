"""What a broken config still says of the metrics endpoint: [metrics], or that this is uncertain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriov_bootstrap.core.config import Metrics
from sriov_bootstrap.core.decode import MAX_FILE_BYTES, ConfigFile
from sriov_bootstrap.core.metrics_alone import metrics_alone

MISTAKE = b"[[pf]]\nnumvfs = 1\n"
WEB = b'[metrics]\nweb_config = "/web.yml"\n'
OFF = b'[metrics]\nlisten = ""\n'
DEFAULTS = Metrics()
LINES = st.sampled_from(
    [
        "[[pf]]",
        "[metrics]",
        "[metric]",
        "[[metrics]]",
        "metrics = 1",
        "listen = 1",
        'listen = ":9"',
        "[a.b.c]",
        "x = [[1]]",
        "x =",
    ]
)
TEXTS = st.lists(LINES, max_size=5).map(lambda lines: "\n".join(lines).encode())


@pytest.mark.parametrize(
    ("texts", "metrics"),
    [
        ([], DEFAULTS),
        ([MISTAKE], DEFAULTS),
        ([MISTAKE + WEB], Metrics(web_config="/web.yml")),
        ([OFF + b"per_vf = false\n" + MISTAKE], Metrics(listen="", per_vf=False)),
        ([WEB, MISTAKE, OFF], Metrics(listen="", web_config="/web.yml")),
        ([WEB, b'[metrics]\nweb_config = ""\n', MISTAKE], DEFAULTS),
        ([WEB, b"[[pf\n"], Metrics(web_config="/web.yml")),
        ([b"[metric]\ntextfile = 1\n"], DEFAULTS),
        ([b"[[pf\n# [metrics]\n"], DEFAULTS),
        ([b"[[pf # of metrics\n"], DEFAULTS),
        ([b"[[pf\nname = 'metrics2'\n"], DEFAULTS),
        ([b"\xff\n"], DEFAULTS),
    ],
    ids=[
        "nothing",
        "nothing of it",
        "protected",
        "switched off",
        "merged",
        "the last one",
        "beside no TOML",
        "another table",
        "a comment",
        "behind something",
        "another word",
        "no text",
    ],
)
def test_what_is_said_of_the_endpoint_counts_whatever_else_is_wrong(texts: list[bytes], metrics: Metrics) -> None:
    assert metrics_alone(ConfigFile(f"/{number}.toml", text) for number, text in enumerate(texts)) == metrics


@pytest.mark.parametrize(
    "text",
    [
        b"[[pf\n" + OFF,
        b"num_vfs = 4[metrics]\n",
        b"[[pf]\r[metrics]\r",
        b"[[pf\n[Metrics]\nweb_config = 1\n",
        b'\xef\xbb\xbf["metrics"]\n',
        "[metrics]\n".encode("utf-16"),
        b"[metrics]\n# \xff\n",
        b"#" * (MAX_FILE_BYTES + 1),
        b'[[pf]]\nname = "ten',
        b"\0" * 4096,
        b"metrics = 1\n",
        b"[[metrics]]\n",
        b"[metrics]\nwebconfig = 1\n",
        b"[metrics]\nlisten = 1\n",
        b'[metrics]\nweb_config = "web.yml"\n',
        b'[metric]\nlisten = ""\n',
        b'web_config = "/web.yml"\n',
        MISTAKE + b'[pf.match]\nweb_config = "/web.yml"\n',
        b"x = [1, [{ listen = 1 }]]\n",
    ],
    ids=[
        "no TOML",
        "no end of line",
        "old ends of lines",
        "a header in capitals",
        "with a mark",
        "UTF-16",
        "not UTF-8",
        "too large",
        "cut",
        "zeros, as after a power cut",
        "no table",
        "several tables",
        "an unknown key",
        "a wrong type",
        "a wrong value",
        "below a wrong header",
        "below no header",
        "in a rule",
        "deeper",
    ],
)
def test_where_something_may_be_said_that_is_lost_it_is_uncertain(text: bytes) -> None:
    files = ConfigFile("/a.toml", WEB), ConfigFile("/b.toml", text), ConfigFile("/c.toml", OFF)
    assert metrics_alone(files) is None


@pytest.mark.parametrize(
    ("untrusted", "metrics"),
    [(None, None), (b"", DEFAULTS), (MISTAKE, DEFAULTS), (OFF, None), (b" " * (MAX_FILE_BYTES + 1), None)],
    ids=["not read", "empty", "nothing of it", "about it", "too large"],
)
def test_what_does_not_count_is_not_used_and_may_be_about_the_endpoint(
    untrusted: bytes | None, metrics: Metrics | None
) -> None:
    assert metrics_alone([ConfigFile("/a.toml", problem="x", untrusted=untrusted)]) == metrics


@given(st.lists(TEXTS | st.binary(), max_size=3))
def test_no_mistakes_together_raise(texts: list[bytes]) -> None:
    found = metrics_alone(ConfigFile("/a.toml", text) for text in texts)
    assert found is None or isinstance(found, Metrics)


@pytest.mark.parametrize(
    ("lower", "upper", "metrics"),
    [
        (WEB, b"[[pf\n", None),
        (MISTAKE, b"[[pf\n", DEFAULTS),
        (WEB, MISTAKE, DEFAULTS),
    ],
    ids=["about it", "about something else", "by a file that says what it means"],
)
def test_a_broken_file_may_be_what_is_left_of_the_one_that_it_hides(
    lower: bytes, upper: bytes, metrics: Metrics | None
) -> None:
    files = [
        ConfigFile(f"{folder}/a.toml", text, is_drop_in=True) for folder, text in (("/usr", lower), ("/etc", upper))
    ]
    assert metrics_alone(files) == metrics
