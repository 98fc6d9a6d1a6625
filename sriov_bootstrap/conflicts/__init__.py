"""Who else sets VFs here: a file for each format, for doctor's 3xx and for migrate."""
