"""One module for each outside thing; they convert at their border, decide nothing, and never import each other."""
