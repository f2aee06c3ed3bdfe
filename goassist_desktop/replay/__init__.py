"""Recording a session, and holding it again.

A session has two boundaries: the endpoint, which gives blocks of audio and takes others, and the
lanes, which give what engines made. What passes there, in its order, is the whole story: the same
things taken in the same order by the same code give the same decisions. `recorder` writes it down,
`player` brings it again on virtual time. A recording is a folder:

    journal.jsonl     the header, then a line for everything that passed, in order
    microphone.wav    what the ears were given: 16 kHz, after echo cancellation
    loudspeaker.wav   what was played
    voice.wav         the speech that was made, heard or not, in the order it arrived

All is 16 bit: while a session is recorded, what passes is rounded to that, so the files are exact.
"""
