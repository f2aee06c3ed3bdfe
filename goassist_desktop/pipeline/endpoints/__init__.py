"""Where sound comes from and goes to: a sound card, or recordings."""
