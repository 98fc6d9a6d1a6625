"""`make lab-images`: build the guests' images that are not in the cache, so that tests find them there."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # a script has its own folder there, and no package

from lab.openstack_image import openstack_image  # noqa: E402

if __name__ == "__main__":
    openstack_image()  # and the main guest's, which it is made from
