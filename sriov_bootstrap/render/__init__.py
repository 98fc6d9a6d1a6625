"""What the generated files say, from the kernel to neutron."""
