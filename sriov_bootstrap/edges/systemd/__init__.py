"""systemd over D-Bus: the only package that speaks to it.

Every function blocks until its deadline at the latest. Even so it belongs in a short-lived child process, which is
killed if even that fails: connect(2) to a bus that accepts no one blocks, and dbus-next is slow to import.
"""
