"""GoAssist Desktop: a voice assistant you simply talk with."""
