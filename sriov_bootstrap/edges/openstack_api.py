"""A cloud's APIs, through openstacksdk: the only module that imports it. An operator's credentials never leave it.

openstacksdk reads clouds.yaml and OS_* variables, gets a token, finds the services and agrees on versions with them;
the requests are ours, because its own lists filter on the client. A message that leaves here has no secret in it: each
value that could be one is taken out, whoever wrote it there.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sriov_bootstrap.base.errors import CloudError, SriovBootstrapError, UsageError

REQUEST_SECONDS = 60
SHORTEST_SECRET = 4  # shorter ones would be found in any word
# Of what a cloud's `auth` holds, these are no secrets.
_OWNERS = ("user", "project", "tenant", "domain", "user_domain", "project_domain", "default_domain")
OPEN = frozenset(
    {f"{owner}_{word}" for owner in (*_OWNERS, "application_credential") for word in ("name", "id")}
    | {"auth_url", "username", "system_scope", "protocol", "identity_provider", "trust_id"}
)
HINTS = {
    401: "the credentials are wrong or have expired; openstack token issue tries them",
    403: "it takes the admin role, which may see hosts and bind ports to them",
}
CREDENTIALS_HINT = (
    "--cloud NAME takes a cloud of clouds.yaml, which is skipped if it is not YAML; without it, OS_CLOUD or the other"
    " OS_* variables count"
)
QUOTA_HINT = "openstack quota show; openstack quota set raises it, or give the project of these credentials another one"
ABSENT = "openstacksdk is not installed, through which this command talks to a cloud"
INSTALL = "python3-openstacksdk of the distribution, or pip install 'sriov-bootstrap[openstack]'"


class SystemClock:
    """Time as it passes while a cloud works."""

    def monotonic(self) -> float:
        """Seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let it work."""
        time.sleep(seconds)


class OpenStackApi:
    """A cloud, by its name in clouds.yaml or "" for the OS_* variables. Implements verify.openstack.protocols.Cloud."""

    def __init__(self, cloud: str = "") -> None:
        """Raises UsageError without openstacksdk, or for a cloud that is not configured. Nothing is asked yet."""
        try:
            import openstack
        except ImportError as error:
            missing = error.name or ""
            said = ABSENT if missing.partition(".")[0] == "openstack" else f"openstacksdk lacks {missing or error}"
            raise UsageError((said,), hint=INSTALL) from None
        self._secrets: tuple[str, ...] = ()
        logging.getLogger().addHandler(logging.NullHandler())  # what its libraries log, they raise as well
        try:
            self._connection: Any = openstack.connect(
                cloud=cloud or None, app_name="sriov-bootstrap", api_timeout=REQUEST_SECONDS
            )
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a file or with variables
            raise UsageError((f"credentials: {_config_problem(error)}",), hint=CREDENTIALS_HINT) from None
        self._secrets = _secrets(self._connection.config.config.get("auth", {}))

    def get(
        self,
        api: str,
        path: str,
        parameters: Mapping[str, str | Sequence[str]] | None = None,
        *,
        microversion: str = "",
    ) -> Any:  # noqa: ANN401
        """The body of the answer. Raises CloudError."""
        return self._ask("GET", api, path, microversion, params=dict(parameters or {}))

    def post(self, api: str, path: str, body: object, *, microversion: str = "") -> Any:  # noqa: ANN401
        """The body of the answer. Raises CloudError."""
        return self._ask("POST", api, path, microversion, json=body)

    def delete(self, api: str, path: str) -> None:
        """Raises CloudError, but not for what is gone already."""
        try:
            self._ask("DELETE", api, path, "")
        except CloudError as error:
            if not error.is_absence:
                raise

    def newest_microversion(self) -> tuple[int, int]:
        """Of nova's API. Raises CloudError."""
        with self._understood("compute"):
            self._authorize()
            newest = self._connection.compute.get_endpoint_data().max_microversion
            return (int(newest[0]), int(newest[1])) if newest else (2, 1)

    def _ask(self, method: str, api: str, path: str, microversion: str, **what: object) -> Any:  # noqa: ANN401
        with self._understood(api):
            self._authorize()
            service = getattr(self._connection, api)
            answer = service.request(path, method, microversion=microversion or None, raise_exc=False, **what)
            if answer.status_code >= 400:  # noqa: PLR2004 - HTTP's errors
                raise self._refusal(api, answer)
            return answer.json() if answer.content else {}

    def _authorize(self) -> None:
        """With a token, which is a secret as well from now on."""
        token = self._connection.session.get_token()
        if token and token not in self._secrets:
            self._secrets = (*self._secrets, token)

    @contextmanager
    def _understood(self, api: str) -> Iterator[None]:
        """What the library raises, in our words."""
        try:
            yield
        except SriovBootstrapError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it raises, and its libraries do, may quote a secret
            status = int(getattr(error, "http_status", 0) or getattr(error, "status_code", 0) or 0)
            raise CloudError(self._clean(f"{api}: {error}"), status=status, hint=HINTS.get(status, "")) from None

    def _refusal(self, api: str, answer: Any) -> CloudError:  # noqa: ANN401
        status = int(answer.status_code)
        text = self._clean(_message_of(answer))
        is_quota = "quota" in text.lower()
        hint = QUOTA_HINT if is_quota else HINTS.get(status, "")
        return CloudError(f"{api}: {text} (HTTP {status})", status=status, hint=hint)

    def _clean(self, text: str) -> str:
        text = " ".join(text.split())
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text


def _config_problem(error: Exception) -> str:
    """In the library's words, but for YAML: PyYAML quotes what it stumbles over, such as a password with a `!`."""
    mark = getattr(error, "problem_mark", None)
    return f"{mark.name}: not YAML: line {mark.line + 1}" if mark else str(error)


def _secrets(auth: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of `auth` that may be secret, the longest first: one may hold another."""
    found = {str(value) for name, value in auth.items() if name not in OPEN and value}
    return tuple(sorted((value for value in found if len(value) >= SHORTEST_SECRET), key=len, reverse=True))


def _message_of(answer: Any) -> str:  # noqa: ANN401
    """The sentence in an error of neutron, nova, keystone or placement."""
    try:
        body = answer.json()
    except ValueError:
        return str(answer.reason)
    if isinstance(body, dict) and isinstance(body.get("errors"), list) and body["errors"]:
        body = {"error": {"message": body["errors"][0].get("detail", "")}}
    for value in body.values() if isinstance(body, dict) else ():
        if isinstance(value, str):
            return value
        if isinstance(value, dict) and value.get("message"):
            return str(value["message"]).strip()
    return str(answer.reason)
