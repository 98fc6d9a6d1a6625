"""`make servers`: our own server of the page, and two ready-made ones, under the same peers."""
