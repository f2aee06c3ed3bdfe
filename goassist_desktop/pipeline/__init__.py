"""The conversation itself, from microphone to loudspeaker samples: no window, no web server."""
