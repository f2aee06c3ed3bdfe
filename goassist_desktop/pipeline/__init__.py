"""The conversation itself: from microphone samples to loudspeaker samples. No window, no web server."""
