"""/proc/PID/fd: the only package that reads it. Which processes have a VF's device node open.

Closing a file sends no event, so this is looked up again in each pass that may need it. A host may have hundreds of VMs
with hundreds of files each, so a file costs one readlink (open_devices.py). A link whose text ends like a node is a
candidate, no more: any user can have a file, or an O_PATH descriptor, of such a name. The kernel says what it is
(device.py).
"""
