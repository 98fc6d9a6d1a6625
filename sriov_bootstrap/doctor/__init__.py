"""What is wrong with this host: a folder for each area, in each survey (nouns), read (edges), checks and codes."""
