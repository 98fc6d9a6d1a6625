"""The lab: real SR-IOV in a virtual machine. README.md says how to use it."""
