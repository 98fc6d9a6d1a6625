"""`serve_wsgi.py MODULE:NAME ADDRESS PORT`: a service's API under waitress. Runs in the services' venv, never in ours.

NAME is that of its WSGI application, or with `()` of what makes it. The module is imported first: up to 2025 they
decide how everything in the process does several things at once.

Each request is a line in REQUESTS before it is answered: user agent, token, method, service, path.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

REQUESTS = os.environ["SRIOV_CLOUD_REQUESTS"]


def noting(application: Callable[..., Iterable[bytes]], service: str) -> Callable[..., Iterable[bytes]]:
    """The same application; lines are short enough to be written at once."""

    def noted(environ: dict[str, Any], start_response: object) -> Iterable[bytes]:
        words = [environ.get(name, "") for name in ("HTTP_USER_AGENT", "HTTP_X_AUTH_TOKEN", "REQUEST_METHOD")]
        with open(REQUESTS, "a", encoding="utf-8") as file:
            file.write("\t".join([*words, service, environ["PATH_INFO"]]) + "\n")
        return application(environ, start_response)

    return noted


def main(place: str, address: str, port: str) -> None:
    """Serves until it is ended."""
    sys.argv[1:] = []  # the services read their options there
    module, _, name = place.partition(":")
    found = getattr(importlib.import_module(module), name.removesuffix("()"))
    application = noting(found() if name.endswith("()") else found, module.partition(".")[0])
    waitress = importlib.import_module("waitress")
    waitress.serve(application, host=address, port=int(port), threads=8)


if __name__ == "__main__":
    main(*sys.argv[1:4])
