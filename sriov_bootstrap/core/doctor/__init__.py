"""What is wrong with this host on the way from the firmware to the agent, from what was read of it."""
