"""Who else sets the VFs of a PF: what other programs' files say, understood one format at a time.

Each module here reads one family of files and answers with `Master`s; `check.py` holds them against our rules. Nothing
here knows our rules but that one, so that a migration can stand on the same readers.
"""
