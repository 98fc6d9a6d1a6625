"""What `render` writes, decided: for each target its files as template, context and place. PURE, as all of core."""
