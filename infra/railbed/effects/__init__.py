"""All that touches the world."""
