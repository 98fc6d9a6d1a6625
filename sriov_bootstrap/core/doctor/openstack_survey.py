"""What `doctor` knows of nova and neutron on this host: texts as they were read, understood by the checks."""

from msgspec import Struct


class OpenStackSurvey(Struct, frozen=True):
    """`unseen`: what could not be read, and why."""

    unseen: tuple[str, ...] = ()
