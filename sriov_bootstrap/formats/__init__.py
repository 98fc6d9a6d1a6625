"""How other programs' files read: text -> values, pure."""
