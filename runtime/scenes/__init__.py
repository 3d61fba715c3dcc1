"""A page of things: its description, sizes and relations, the scene that comes of it, and what is hidden in that."""
