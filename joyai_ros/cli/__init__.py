"""The one command, ``joyai-ros``."""
