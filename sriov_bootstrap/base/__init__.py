"""What every room stands on: errors, text that may be printed, files that are read and replaced, processes."""
