"""The parts of `bake_heads.py`: from the CC0 base mesh to two heads worth looking at."""
