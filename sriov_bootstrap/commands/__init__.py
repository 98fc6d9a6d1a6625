"""One verb for each file, and what only verbs need: what they print, and what they ask on a terminal."""
