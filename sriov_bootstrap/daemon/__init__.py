"""When a pass, a round of restarts, a look or a page is due: the loop, its protocols, its processes."""
