"""What `doctor` knows of this host beside the PFs: texts as they were read, understood by the checks."""

from msgspec import Struct


class HostSurvey(Struct, frozen=True):
    """`config_problems`: what is wrong with our own config; `unseen`: what could not be read, and why."""

    config_problems: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
