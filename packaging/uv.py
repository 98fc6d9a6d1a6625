"""`uv.py ARGUMENT...`: uv, with the mirrors and certificates that pip is configured with.

uv installs in seconds what takes pip a minute, and reads no pip.conf.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "constraint": "UV_CONSTRAINT",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}


def from_pip(listed: str) -> dict[str, str]:
    """uv's environment variables, from the output of `pip config list`: the environment comes last, and wins."""
    lines = [line.partition("=") for line in listed.splitlines() if line.startswith(("global.", "install.", ":env:."))]
    lines.sort(key=lambda line: (line[0].startswith(":env:"), line[0].startswith("install.")))
    values = {key.rpartition(".")[2]: " ".join(str(ast.literal_eval(value)).split()) for key, _, value in lines}
    return {VARIABLES[name]: value for name, value in values.items() if name in VARIABLES}


def main(arguments: list[str]) -> int:
    """uv's exit status."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True)
    # As pip does: of several indexes use the one with the best version, not the first one with any.
    defaults = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    uv = Path(sys.executable).with_name("uv")
    environment = {**defaults, **from_pip(listed.stdout), **os.environ}
    if "--require-hashes" in arguments:  # a lock file pins everything, and uv refuses constraints without a hash
        environment.pop("UV_CONSTRAINT", None)
    return subprocess.run([uv, "--no-config", *arguments], check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
